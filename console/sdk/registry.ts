// The registry as this browser knows it: one store, fed by `stream.ts`.
import { useSyncExternalStore } from "react";
import { api } from "./api";
import { forget } from "./hot";
import type { Registry } from "./types";

const NOTHING: Registry = { epoch: "", rev: -1, viewer: { role: "guest", name: "" }, plugins: [], claims: [], unconfirmed: [] };
const listeners = new Set<() => void>();
let current = NOTHING;
let known = false;
let person = "";

/** The registry now. */
export const registry = () => current;

/** False until the server told once. */
export const isKnown = () => known;

function older(fresh: Registry): boolean {
  return known && fresh.epoch === current.epoch && fresh.rev < current.rev;
}

function sameViewer({ viewer }: Registry): boolean {
  return viewer.role === current.viewer.role && viewer.name === current.viewer.name;
}

function same(fresh: Registry): boolean {
  return known && sameViewer(fresh) && fresh.epoch === current.epoch && fresh.rev === current.rev;
}

/** What has not changed stays the same object: who shows it need not render it anew. */
function kept(fresh: Registry): Registry {
  const before = new Map(current.plugins.map((plugin) => [plugin.id, plugin]));
  const plugins = fresh.plugins.map((plugin) => {
    const old = before.get(plugin.id);
    return old && JSON.stringify(old) === JSON.stringify(plugin) ? old : plugin;
  });
  return { ...fresh, plugins, viewer: sameViewer(fresh) ? current.viewer : fresh.viewer };
}

/** What was typed goes with its plugin, and is not for the next person at the same browser. */
function forgetOld(fresh: Registry) {
  const { name, role } = fresh.viewer;
  if (sameViewer(fresh)) {
    const there = new Set(fresh.plugins.map((plugin) => plugin.id));
    for (const { id } of current.plugins) if (!there.has(id)) forget(id);
  }
  // A guest may be the same person, whose session has ended.
  if (role === "guest") return;
  if (person && person !== name) forget();
  person = name;
}

/** Take a snapshot; false when it is no news. */
export function accept(fresh: Registry): boolean {
  if (older(fresh) || same(fresh)) return false;
  forgetOld(fresh);
  current = kept(fresh);
  known = true;
  for (const listener of listeners) listener();
  return true;
}

/** Call a function at each change; answers how to stop. */
export function onRegistry(listener: () => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

/** What the server answers now; whoever asks takes it. */
export const ask = (): Promise<Registry> => api.get<Registry>("/hotbay/registry");

/** The registry: active plugins with what they contribute, and who is looking. Renders anew at each change. */
export const useRegistry = (): Registry => useSyncExternalStore(onRegistry, registry);

/** Whether the server told of its plugins yet. */
export const useKnown = (): boolean => useSyncExternalStore(onRegistry, isKnown);

const viewer = () => current.viewer;

/** Who is looking. Renders anew only when that is somebody else. */
export const useViewer = (): Registry["viewer"] => useSyncExternalStore(onRegistry, viewer);

const RANK = { guest: 0, user: 1, admin: 2 };

/** True when the viewer may do what `role` may. The server decides in the end; this only shows and hides. */
export const usePermission = (role: "user" | "admin"): boolean => RANK[useViewer().role] >= RANK[role];
