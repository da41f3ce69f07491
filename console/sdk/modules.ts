// Plugins' modules: loaded once by their address, which has their content's hash in it.
import type { ComponentType } from "react";
import type { PluginEntry, PluginProps } from "./types";

export interface Loadable {
  module: string;
  export: string;
  framed?: boolean;
}

type Found = ComponentType<PluginProps>;

const modules = new Map<string, Promise<Record<string, unknown>>>();
const ready = new Map<string, Record<string, unknown>>();
const sheets = new Map<string, Promise<void>>();

const address = (plugin: PluginEntry, file: string) => new URL(plugin.base + file, location.origin).href;

/** The hash that a file must have, if the server named one. */
export const integrityOf = (plugin: PluginEntry, file: string) => plugin.integrity?.[file] ?? "";

function link(rel: string, href: string, integrity: string): HTMLLinkElement {
  const made = document.createElement("link");
  made.rel = rel;
  made.href = href;
  if (integrity) made.integrity = integrity;
  if (integrity || rel === "modulepreload") made.crossOrigin = "anonymous";
  document.head.append(made);
  return made;
}

function style(href: string, integrity: string): Promise<void> {
  const known = sheets.get(href);
  if (known) return known;
  const made = new Promise<void>((resolve) => {
    const sheet = link("stylesheet", href, integrity);
    // A page without its styles is better than none.
    sheet.onload = sheet.onerror = () => resolve();
  });
  sheets.set(href, made);
  return made;
}

/** The styles of a host or plugin, loaded. */
export const styles = (plugin: PluginEntry) => Promise.all((plugin.styles ?? []).map((file) => style(address(plugin, file), integrityOf(plugin, file))));

function fetchModule(plugin: PluginEntry, file: string): Promise<Record<string, unknown>> {
  const href = address(plugin, file);
  const known = modules.get(href);
  if (known) return known;
  const integrity = integrityOf(plugin, file);
  if (integrity) link("modulepreload", href, integrity);
  const made = import(/* @vite-ignore */ href) as Promise<Record<string, unknown>>;
  modules.set(href, made);
  made.then(
    (found) => ready.set(href, found),
    // A failed fetch may be a moment without network: the next one asks again.
    () => modules.delete(href),
  );
  return made;
}

function pick(plugin: PluginEntry, entry: Loadable, module: Record<string, unknown>): Found {
  const found = module[entry.export || "default"];
  if (typeof found !== "function" && typeof found !== "object") {
    throw new Error(`${plugin.id} ${plugin.version}: ${entry.module} has no export ${entry.export}`);
  }
  return found as Found;
}

/** The component, when its module is there already. */
export function loaded(plugin: PluginEntry, entry: Loadable): Found | null {
  const module = ready.get(address(plugin, entry.module));
  return module ? pick(plugin, entry, module) : null;
}

/** The component, with the plugin's styles. Raises what the module raises. */
export async function load(plugin: PluginEntry, entry: Loadable): Promise<Found> {
  const [module] = await Promise.all([fetchModule(plugin, entry.module), styles(plugin)]);
  return pick(plugin, entry, module);
}

/** What a module exports under a name: for commands, which are functions. */
export async function loadFunction(plugin: PluginEntry, entry: Loadable): Promise<unknown> {
  return (await fetchModule(plugin, entry.module))[entry.export || "default"];
}
