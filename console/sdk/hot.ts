// State that outlives the swap of the component that holds it.
import { createContext, type Dispatch, type SetStateAction, use, useCallback, useState } from "react";

/** Whose component is rendered; the shell sets it around each contribution. */
export const PluginContext = createContext<{ id: string; version: string; digest: string } | null>(null);

const kept = new Map<string, unknown>();
let watching: ((key: string, value: unknown) => void) | null = null;

/** Call a function with everything that is kept from now on: in a frame, which is not there for long. */
export function watchKept(watcher: (key: string, value: unknown) => void) {
  watching = watcher;
}

/** Keep a value for a plugin, as its component would; false when it keeps too much already. */
export function keep(plugin: string, key: string, value: unknown, most = Number.POSITIVE_INFINITY): boolean {
  const full = `${plugin}\0${key}`;
  if (!kept.has(full) && keptBy(plugin).length >= most) return false;
  kept.set(full, value);
  return true;
}

/** What a plugin keeps, by key. */
export function keptBy(plugin: string): [string, unknown][] {
  const own = `${plugin}\0`;
  return [...kept].filter(([full]) => full.startsWith(own)).map(([full, value]) => [full.slice(own.length), value]);
}

/** Forget what a plugin kept, or what all did. */
export function forget(plugin?: string) {
  for (const key of kept.keys()) if (plugin === undefined || key.startsWith(`${plugin}\0`)) kept.delete(key);
}

/**
 * Like `useState`, and kept when the plugin is upgraded under the open page, or another page is looked at; until the
 * plugin is deactivated or removed, the user logs out, or the page is loaded anew. `key` is unique in the plugin; a new
 * version that wants another shape names another key.
 */
export function useHotState<T>(key: string, initial: T | (() => T)): [T, Dispatch<SetStateAction<T>>] {
  const plugin = use(PluginContext)?.id ?? "host";
  const full = `${plugin}\0${key}`;
  const [value, setValue] = useState<T>(() => {
    if (kept.has(full)) return kept.get(full) as T;
    return typeof initial === "function" ? (initial as () => T)() : initial;
  });
  const set = useCallback<Dispatch<SetStateAction<T>>>(
    (next) => setValue((before) => {
      const after = typeof next === "function" ? (next as (value: T) => T)(before) : next;
      kept.set(full, after);
      watching?.(key, after);
      return after;
    }),
    [full, key],
  );
  return [value, set];
}
