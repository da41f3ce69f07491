import { type ComponentType, lazy, Suspense, type SVGProps } from "react";
import ArchiveBoxIcon from "@heroicons/react/24/outline/esm/ArchiveBoxIcon.js";
import ArrowPathIcon from "@heroicons/react/24/outline/esm/ArrowPathIcon.js";
import BanknotesIcon from "@heroicons/react/24/outline/esm/BanknotesIcon.js";
import ChatBubbleLeftRightIcon from "@heroicons/react/24/outline/esm/ChatBubbleLeftRightIcon.js";
import ClipboardDocumentListIcon from "@heroicons/react/24/outline/esm/ClipboardDocumentListIcon.js";
import Cog6ToothIcon from "@heroicons/react/24/outline/esm/Cog6ToothIcon.js";
import CubeIcon from "@heroicons/react/24/outline/esm/CubeIcon.js";
import DocumentTextIcon from "@heroicons/react/24/outline/esm/DocumentTextIcon.js";
import HeartIcon from "@heroicons/react/24/outline/esm/HeartIcon.js";
import HomeIcon from "@heroicons/react/24/outline/esm/HomeIcon.js";
import InboxIcon from "@heroicons/react/24/outline/esm/InboxIcon.js";
import MagnifyingGlassIcon from "@heroicons/react/24/outline/esm/MagnifyingGlassIcon.js";
import PuzzlePieceIcon from "@heroicons/react/24/outline/esm/PuzzlePieceIcon.js";
import ServerStackIcon from "@heroicons/react/24/outline/esm/ServerStackIcon.js";
import ShoppingBagIcon from "@heroicons/react/24/outline/esm/ShoppingBagIcon.js";
import ShoppingCartIcon from "@heroicons/react/24/outline/esm/ShoppingCartIcon.js";
import UsersIcon from "@heroicons/react/24/outline/esm/UsersIcon.js";

type Svg = ComponentType<SVGProps<SVGSVGElement>>;

const COMMON: Record<string, Svg> = {
  ArchiveBoxIcon,
  ArrowPathIcon,
  BanknotesIcon,
  ChatBubbleLeftRightIcon,
  ClipboardDocumentListIcon,
  Cog6ToothIcon,
  CubeIcon,
  DocumentTextIcon,
  HeartIcon,
  HomeIcon,
  InboxIcon,
  MagnifyingGlassIcon,
  PuzzlePieceIcon,
  ServerStackIcon,
  ShoppingBagIcon,
  ShoppingCartIcon,
  UsersIcon,
};
const late = new Map<string, Svg>();

/** The icons that are not on every page come when one of them is asked for first. */
function lateIcon(name: string): Svg {
  const known = late.get(name);
  if (known) return known;
  const made = lazy(async () => {
    const all: Record<string, unknown> = await import("@heroicons/react/24/outline");
    return { default: (all[name] ?? CubeIcon) as Svg };
  });
  late.set(name, made);
  return made;
}

export interface IconProps {
  /** A name of Heroicons (`ChatBubbleLeftRightIcon`, the ending may be left out), or an emoji. */
  name?: string | null | undefined;
  /** In pixels. */
  size?: number;
  className?: string | undefined;
}

/** An icon by its name, as manifests and `addon.config.ts` give it; decoration, hidden from screen readers. */
export function Icon({ name, size = 20, className }: IconProps) {
  const wanted = name || "CubeIcon";
  if (!/^[A-Za-z0-9]+$/.test(wanted)) {
    return <span aria-hidden="true" className={className} style={{ fontSize: size * 0.9, lineHeight: 1 }}>{wanted}</span>;
  }
  const full = wanted.endsWith("Icon") ? wanted : `${wanted}Icon`;
  const Found = COMMON[full] ?? lateIcon(full);
  const room = <span className={className} style={{ display: "inline-block", width: size, height: size }} />;
  return (
    <Suspense fallback={room}>
      <Found width={size} height={size} aria-hidden="true" className={className} />
    </Suspense>
  );
}
