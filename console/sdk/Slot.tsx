import { type ReactNode, useMemo } from "react";
import { Contribution } from "./Contribution";
import { useRegistry } from "./registry";
import type { PluginEntry, Registry, Role, WidgetEntry } from "./types";

const RANK: Record<Role, number> = { guest: 0, user: 1, admin: 2 };

/** Whether the viewer gets to see an entry. */
export function allowed(entry: { requireAuth?: boolean; requireAdmin?: boolean }, role: Role): boolean {
  const wanted = entry.requireAdmin ? "admin" : entry.requireAuth ? "user" : "guest";
  return RANK[role] >= RANK[wanted];
}

export interface Placed {
  plugin: PluginEntry;
  widget: WidgetEntry;
}

/** The widgets of a slot for the present viewer, in order. */
export function widgetsOf({ plugins, viewer }: Registry, slot: string): Placed[] {
  const all = plugins.flatMap((plugin) => (plugin.contributions.widgets ?? []).map((widget) => ({ plugin, widget })));
  return all
    .filter(({ widget }) => widget.slot === slot && allowed(widget, viewer.role))
    .sort((a, b) => (a.widget.order ?? 100) - (b.widget.order ?? 100) || a.plugin.id.localeCompare(b.plugin.id));
}

export interface SlotProps {
  /** For example `homepage.widgets`, `dashboard.cards`, `customer.tabs`; a host or plugin makes up its own. */
  name: string;
  /** What stands there while no plugin offers anything. */
  empty?: ReactNode;
  /** Puts something around each widget. */
  wrap?: (widget: ReactNode, placed: Placed) => ReactNode;
}

/** A place that plugins fill. Each widget is guarded: one that fails takes nothing else with it. */
export function Slot({ name, empty = null, wrap }: SlotProps) {
  const registry = useRegistry();
  const placed = useMemo(() => widgetsOf(registry, name), [registry, name]);
  if (!placed.length) return empty;
  return placed.map((one) => {
    const key = `${one.plugin.id} ${one.widget.name}`;
    const widget = <Contribution key={key} plugin={one.plugin} entry={one.widget} where={{ kind: "widget", name: one.widget.name }} />;
    return wrap ? <div key={key} style={{ display: "contents" }}>{wrap(widget, one)}</div> : widget;
  });
}
