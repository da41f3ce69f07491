// The icons that the console itself and its example use: here, so that only others fetch the whole set.
import type { ComponentType, SVGProps } from "react";
import ArchiveBoxIcon from "@heroicons/react/24/outline/esm/ArchiveBoxIcon.js";
import ArrowPathIcon from "@heroicons/react/24/outline/esm/ArrowPathIcon.js";
import ArrowUpTrayIcon from "@heroicons/react/24/outline/esm/ArrowUpTrayIcon.js";
import ArrowUturnLeftIcon from "@heroicons/react/24/outline/esm/ArrowUturnLeftIcon.js";
import ArrowsRightLeftIcon from "@heroicons/react/24/outline/esm/ArrowsRightLeftIcon.js";
import BanknotesIcon from "@heroicons/react/24/outline/esm/BanknotesIcon.js";
import BoltIcon from "@heroicons/react/24/outline/esm/BoltIcon.js";
import ChartBarIcon from "@heroicons/react/24/outline/esm/ChartBarIcon.js";
import ChatBubbleLeftRightIcon from "@heroicons/react/24/outline/esm/ChatBubbleLeftRightIcon.js";
import CheckCircleIcon from "@heroicons/react/24/outline/esm/CheckCircleIcon.js";
import CheckIcon from "@heroicons/react/24/outline/esm/CheckIcon.js";
import CircleStackIcon from "@heroicons/react/24/outline/esm/CircleStackIcon.js";
import ClipboardDocumentListIcon from "@heroicons/react/24/outline/esm/ClipboardDocumentListIcon.js";
import ClockIcon from "@heroicons/react/24/outline/esm/ClockIcon.js";
import Cog6ToothIcon from "@heroicons/react/24/outline/esm/Cog6ToothIcon.js";
import CpuChipIcon from "@heroicons/react/24/outline/esm/CpuChipIcon.js";
import CreditCardIcon from "@heroicons/react/24/outline/esm/CreditCardIcon.js";
import CubeIcon from "@heroicons/react/24/outline/esm/CubeIcon.js";
import DocumentTextIcon from "@heroicons/react/24/outline/esm/DocumentTextIcon.js";
import EllipsisVerticalIcon from "@heroicons/react/24/outline/esm/EllipsisVerticalIcon.js";
import ExclamationTriangleIcon from "@heroicons/react/24/outline/esm/ExclamationTriangleIcon.js";
import FolderIcon from "@heroicons/react/24/outline/esm/FolderIcon.js";
import GlobeAltIcon from "@heroicons/react/24/outline/esm/GlobeAltIcon.js";
import HeartIcon from "@heroicons/react/24/outline/esm/HeartIcon.js";
import HomeIcon from "@heroicons/react/24/outline/esm/HomeIcon.js";
import InboxIcon from "@heroicons/react/24/outline/esm/InboxIcon.js";
import KeyIcon from "@heroicons/react/24/outline/esm/KeyIcon.js";
import LanguageIcon from "@heroicons/react/24/outline/esm/LanguageIcon.js";
import LockClosedIcon from "@heroicons/react/24/outline/esm/LockClosedIcon.js";
import MagnifyingGlassIcon from "@heroicons/react/24/outline/esm/MagnifyingGlassIcon.js";
import MoonIcon from "@heroicons/react/24/outline/esm/MoonIcon.js";
import PuzzlePieceIcon from "@heroicons/react/24/outline/esm/PuzzlePieceIcon.js";
import ServerStackIcon from "@heroicons/react/24/outline/esm/ServerStackIcon.js";
import ShieldCheckIcon from "@heroicons/react/24/outline/esm/ShieldCheckIcon.js";
import ShoppingBagIcon from "@heroicons/react/24/outline/esm/ShoppingBagIcon.js";
import ShoppingCartIcon from "@heroicons/react/24/outline/esm/ShoppingCartIcon.js";
import StarIcon from "@heroicons/react/24/outline/esm/StarIcon.js";
import SunIcon from "@heroicons/react/24/outline/esm/SunIcon.js";
import UsersIcon from "@heroicons/react/24/outline/esm/UsersIcon.js";
import XMarkIcon from "@heroicons/react/24/outline/esm/XMarkIcon.js";

export type Svg = ComponentType<SVGProps<SVGSVGElement>>;

export const COMMON: Record<string, Svg> = {
  ArchiveBoxIcon,
  ArrowPathIcon,
  ArrowUpTrayIcon,
  ArrowUturnLeftIcon,
  ArrowsRightLeftIcon,
  BanknotesIcon,
  BoltIcon,
  ChartBarIcon,
  ChatBubbleLeftRightIcon,
  CheckCircleIcon,
  CheckIcon,
  CircleStackIcon,
  ClipboardDocumentListIcon,
  ClockIcon,
  Cog6ToothIcon,
  CpuChipIcon,
  CreditCardIcon,
  CubeIcon,
  DocumentTextIcon,
  EllipsisVerticalIcon,
  ExclamationTriangleIcon,
  FolderIcon,
  GlobeAltIcon,
  HeartIcon,
  HomeIcon,
  InboxIcon,
  KeyIcon,
  LanguageIcon,
  LockClosedIcon,
  MagnifyingGlassIcon,
  MoonIcon,
  PuzzlePieceIcon,
  ServerStackIcon,
  ShieldCheckIcon,
  ShoppingBagIcon,
  ShoppingCartIcon,
  StarIcon,
  SunIcon,
  UsersIcon,
  XMarkIcon,
};
