import type { ComponentType, ReactNode } from "react";

/** What every contributed component is given. */
export interface PluginProps {
  plugin: { id: string; version: string; digest: string };
}

/** Which of a plugin's contributions something is about. */
export interface Where {
  kind: "page" | "widget" | "settings" | "command" | "component";
  name: string;
}

export type Layout = "admin" | "customer" | "public" | "none";
export type Role = "guest" | "user" | "admin";

interface Access {
  requireAuth?: boolean;
  requireAdmin?: boolean;
}

interface Module {
  module: string;
  export: string;
  /** The host does not trust it: it runs in a frame of its own. */
  framed?: boolean;
}

/** A route that a plugin itself answers: in `path`, `*` is a part of one segment, `**` anything. No methods: all. */
export interface Reach {
  path: string;
  methods: string[];
}

export interface PageEntry extends Access, Module {
  path: string;
  layout?: Layout;
  title?: string;
}

export interface MenuEntry extends Access {
  parent?: string | null;
  name: string;
  href: string;
  icon?: string | null;
  order?: number;
  badge?: string | null;
}

export interface WidgetEntry extends Access, Module {
  slot: string;
  name: string;
  order?: number;
}

export interface PanelEntry extends Module {
  name: string;
}

export interface CommandEntry {
  id: string;
  title: string;
  href?: string | null;
  module?: string | null;
  export?: string | null;
  icon?: string | null;
}

export interface Contributions {
  pages?: PageEntry[];
  menu?: MenuEntry[];
  components?: (Module & { name: string })[];
  widgets?: WidgetEntry[];
  settings?: PanelEntry[];
  commands?: CommandEntry[];
  messages?: Record<string, Record<string, string>>;
}

/** One active plugin, as far as a browser needs to know it. */
export interface PluginEntry {
  id: string;
  name: string;
  version: string;
  digest: string;
  base: string;
  styles?: string[];
  integrity?: Record<string, string>;
  trusted?: boolean;
  /** What its frames may ask, if they are framed. */
  reach?: Reach[];
  contributions: Contributions;
}

/** A page of a plugin that is known here and not active. */
export interface ClaimEntry {
  path: string;
  plugin: string;
  name: string;
  installed: boolean;
}

/** The registry at one revision, for who asked. */
export interface Registry {
  epoch: string;
  rev: number;
  viewer: { role: Role; name: string };
  plugins: PluginEntry[];
  claims: ClaimEntry[];
  /** Plugins with a change that waits for somebody to confirm it; for administrators. */
  unconfirmed: string[];
}

/** A step of an operation, or its begin and end (`verb` is empty). */
export interface Progress {
  operation: number;
  kind: string;
  plugin: string;
  verb: string;
  state: "running" | "done" | "failed" | "undone" | "unfinished";
  seq: number;
  total: number;
  seconds: number;
  summary: string;
}

/** A page of the host itself. */
export interface HostPage extends Access {
  path: string;
  title?: string;
  layout?: Layout;
  component: () => Promise<{ default: ComponentType }>;
}

/** What a host brings: `export default defineHost({ … })`. */
export interface Host {
  pages?: HostPage[];
  menu?: MenuEntry[];
  /** Menu entries of the customers' area and of public pages. */
  customerMenu?: MenuEntry[];
  publicMenu?: MenuEntry[];
  messages?: Record<string, Record<string, string>>;
  /** Where somebody goes after logging in, by role. */
  home?: Partial<Record<Role, string>>;
  logout?: () => Promise<void>;
  footer?: ReactNode;
}

/** Names a host's pages; gives them back, typed. */
export const defineHost = (host: Host): Host => host;
