import { allowed } from "../../sdk/Slot";
import type { Host, MenuEntry, Registry } from "../../sdk/types";

export interface Section {
  name: string;
  entries: MenuEntry[];
}

/** The console's own pages, for administrators. */
export const OWN: MenuEntry[] = [
  { parent: "Plugins", name: "Marketplace", href: "/marketplace", icon: "ShoppingBagIcon", order: 900, requireAdmin: true },
  { parent: "Plugins", name: "Installed", href: "/plugins", icon: "PuzzlePieceIcon", order: 910, requireAdmin: true },
  { parent: "Plugins", name: "Operations", href: "/operations", icon: "ArrowPathIcon", order: 920, requireAdmin: true },
  { parent: "Plugins", name: "Audit", href: "/audit", icon: "ClipboardDocumentListIcon", order: 930, requireAdmin: true },
  { parent: "Plugins", name: "Health", href: "/health", icon: "HeartIcon", order: 940, requireAdmin: true },
  { parent: "Plugins", name: "Sources", href: "/sources", icon: "ServerStackIcon", order: 950, requireAdmin: true },
];

// Entries of these are in the menus of the public pages and of the customers' area.
const ELSEWHERE = new Set(["Public", "Customer"]);

const order = (entry: MenuEntry) => entry.order ?? 100;

/** The menu of the administrators' area: the host's entries, the plugins', the console's own, by section. */
export function sections(host: Host, { plugins, viewer }: Registry): Section[] {
  const theirs = plugins.flatMap((plugin) => plugin.contributions.menu ?? []).filter((entry) => !ELSEWHERE.has(entry.parent ?? ""));
  const all = [...(host.menu ?? []), ...theirs, ...OWN];
  const named = new Map<string, MenuEntry[]>();
  for (const entry of all.filter((one) => allowed(one, viewer.role)).sort((a, b) => order(a) - order(b))) {
    const name = entry.parent ?? "";
    named.set(name, [...(named.get(name) ?? []), entry]);
  }
  return [...named].map(([name, entries]) => ({ name, entries })).sort((a, b) => weight(a) - weight(b));
}

function weight({ name, entries }: Section): number {
  const first = entries[0];
  return name === "" ? -1 : first ? order(first) : 0;
}
