// What a frame may ask of the console. Pure: no frame is believed, whatever it says.
import { boot } from "../boot";
import type { PluginEntry, Reach, Registry, Where } from "../types";

const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]);
const HEADERS = new Set(["accept", "accept-language", "content-type", "if-match", "if-none-match", "last-event-id", "range"]);
// Of what a plugin invents (`X-Chat-Token`), but not what servers and proxies take for somebody else's word.
const FOREIGN = /^x-(?:forwarded|http|method|original|rewrite|real|csrf|xsrf|requested|remote|user|hotbay)/;
const TOLD = new Set(["content-type", "content-disposition", "etag", "last-modified", "retry-after"]);

/** A text of at most `most` characters, or null. */
export const text = (value: unknown, most: number): string | null => (typeof value === "string" && value.length <= most ? value : null);

function pattern({ path }: Reach): RegExp {
  const parts = path.split(/(\*{1,2})/).map((part) => ({ "*": "[^/]+", "**": ".*" })[part] ?? part.replace(/[^\w/]/g, "\\$&"));
  return new RegExp(`^${parts.join("")}$`);
}

/** The path as the server reads it; null when a proxy might read another one. */
function plain(pathname: string): string | null {
  try {
    const parts = pathname.split("/").slice(1).map(decodeURIComponent);
    const odd = (part: string, at: number) => (part === "" && at < parts.length - 1) || part === "." || part === ".." || /[/\\\p{Cc}]/u.test(part);
    return parts.some(odd) ? null : `/${parts.join("/")}`;
  } catch {
    return null;
  }
}

function mayAsk(plugin: PluginEntry, where: Where, method: string, path: string): boolean {
  if (path === `${boot.api}/marketplace/settings/${plugin.id}`) return method === "GET" || (method === "PATCH" && where.kind === "settings");
  const fits = (one: Reach) => (one.methods.length === 0 || one.methods.includes(method)) && pattern(one).test(path);
  return (plugin.reach ?? []).some(fits);
}

/** The address that a request of a frame goes to; null when it may not be asked. */
export function allowedAddress(plugin: PluginEntry, where: Where, method: unknown, address: unknown): string | null {
  if (typeof method !== "string" || !METHODS.has(method)) return null;
  const asked = text(address, 8000);
  if (asked === null || !URL.canParse(asked, location.origin)) return null;
  const url = new URL(asked, location.origin);
  if (url.origin !== location.origin || url.username || url.password) return null;
  const path = plain(url.pathname);
  return path !== null && mayAsk(plugin, where, method, path) ? url.origin + url.pathname + url.search : null;
}

/** The headers that go along; others are left out. */
export function allowedHeaders(found: unknown): [string, string][] {
  const pairs = Array.isArray(found) ? (found as unknown[]).slice(0, 50) : [];
  return pairs.flatMap((pair) => {
    const [name, value] = Array.isArray(pair) ? (pair as unknown[]) : [];
    const key = text(name, 100)?.toLowerCase() ?? "";
    const good = HEADERS.has(key) || (/^x-[a-z0-9-]+$/.test(key) && !FOREIGN.test(key));
    return good && text(value, 4000) !== null ? [[key, value as string] as [string, string]] : [];
  });
}

/** The headers of an answer that a frame is told. */
export const toldHeaders = (headers: Headers): [string, string][] => [...headers].filter(([name]) => TOLD.has(name));

/** A path of the console; null for every other address. */
export function allowedPath(path: unknown): string | null {
  const found = text(path, 2000);
  return found !== null && /^\/(?![/\\])[^\\\p{Cc}]*$/u.test(found) ? found : null;
}

/** Events that a plugin says and hears: its own, and that badges want to be asked again. */
export const ownEvent = (plugin: PluginEntry, name: unknown): name is string =>
  name === "badges" || (text(name, 200)?.startsWith(`${plugin.id}.`) ?? false);

/** The registry as a frame is told it: who looks, itself, and of the others no more than that they are there. */
export function told(registry: Registry, plugin: PluginEntry): Registry {
  const plugins = registry.plugins.map(({ id, name, version, contributions }) => {
    const own = id === plugin.id ? { pages: contributions.pages ?? [], messages: contributions.messages ?? {} } : {};
    return { id, name, version, digest: "", base: "", contributions: own };
  });
  return { ...registry, plugins, claims: [], unconfirmed: [] };
}
