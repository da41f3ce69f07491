// One stream of events a browser, however many tabs are open: HTTP/1.1 allows six connections to a server.
//
// The tab that holds the lock listens to the server and tells the others. Without locks (plain HTTP on another machine
// than this one) each visible tab listens for itself, and hidden ones close their stream.
import { useEffect, useRef, useSyncExternalStore } from "react";
import { api } from "./api";
import { boot } from "./boot";
import { accept, ask, registry } from "./registry";
import type { Registry } from "./types";

type Handler = (data: unknown) => void;
export type Message = { kind: "snapshot"; data: Registry } | { kind: "event"; name: string; data: unknown } | { kind: "viewer" } | { kind: "link"; state: Link };
export type Link = "connecting" | "live" | "polling" | "offline";

const POLL_MS = 4000;
const RETRY_MS = 1500;
const handlers = new Map<string, Set<Handler>>();
const watchers = new Set<() => void>();
let state: Link = "connecting";
const taps = new Set<(name: string, data: unknown) => void>();
let channel: { postMessage: (message: Message) => void } | null = null;
let leading = false;
let snapshots: EventSource | null = null;
let operations: EventSource | null = null;

function become(next: Link) {
  if (state === next) return;
  state = next;
  // The others hear by this tab: its broken connection is theirs.
  if (leading && next !== "live") tell({ kind: "link", state: next });
  for (const watcher of watchers) watcher();
}

function deliver(name: string, data: unknown) {
  for (const handler of handlers.get(name) ?? []) handler(data);
  for (const tap of taps) tap(name, data);
}

/** Hear of every event, whatever its name; answers how to stop. */
export function tapEvents(tap: (name: string, data: unknown) => void): () => void {
  taps.add(tap);
  return () => void taps.delete(tap);
}

function tell(message: Message) {
  channel?.postMessage(message);
}

/** Tell every tab of this browser, this one too. */
export function publish(name: string, data: unknown) {
  deliver(name, data);
  tell({ kind: "event", name, data });
}

function take(fresh: Registry) {
  if (accept(fresh)) deliver("registry", fresh);
  // Whoever was told first of who is looking, the stream or the first question: administrators hear of operations.
  if (leading && (registry().viewer.role === "admin") !== Boolean(operations)) watchOperations();
}

function listen(path: string, names: string[], on: (name: string, text: string) => void, lost: () => void): EventSource {
  const source = new EventSource(api.url(path));
  for (const name of names) source.addEventListener(name, (event) => on(name, (event as MessageEvent<string>).data));
  // The browser itself comes back after a broken connection, and not after an answer that is no stream.
  source.onerror = () => {
    lost();
    if (source.readyState === EventSource.CLOSED) source.dispatchEvent(new Event("closed"));
  };
  return source;
}

function watchRegistry() {
  snapshots?.close();
  const mine = listen(
    "/hotbay/registry/events",
    ["snapshot"],
    (_, text) => {
      const data = JSON.parse(text) as Registry;
      // The others first: they paint while this tab does.
      tell({ kind: "snapshot", data });
      become("live");
      take(data);
    },
    // Once it is known that nobody answers, only an answer changes that.
    () => state !== "offline" && become("polling"),
  );
  mine.onopen = () => become("live");
  mine.addEventListener("closed", () => setTimeout(() => snapshots === mine && watchRegistry(), RETRY_MS));
  snapshots = mine;
}

function watchOperations() {
  operations?.close();
  operations = null;
  if (!leading || registry().viewer.role !== "admin") return;
  operations = listen("/hotbay/events?snapshots=false", ["operation"], (name, text) => publish(name, JSON.parse(text)), () => undefined);
}

function lead() {
  leading = true;
  watchRegistry();
  watchOperations();
}

function leave() {
  leading = false;
  snapshots?.close();
  operations?.close();
  snapshots = operations = null;
}

/** Be told by the page around this frame, and tell it, instead of listening to server and other tabs. */
export function followParent(tellParent: (message: Message) => void) {
  channel = { postMessage: tellParent };
}

/** Take what another page of this browser tells. */
export function hear(message: Message) {
  if (message.kind === "snapshot") {
    become("live");
    take(message.data);
  } else if (message.kind === "event") deliver(message.name, message.data);
  else if (message.kind === "link") become(message.state);
  else if (message.kind === "viewer") void renew();
}

async function renew() {
  if (leading) watchRegistry();
  await look();
  if (leading) watchOperations();
}

async function look() {
  try {
    const fresh = await ask();
    if (state === "offline") become(leading ? "polling" : "live");
    take(fresh);
  } catch (error) {
    if ((error as { status?: number }).status === 0) become("offline");
  }
}

/** Somebody logged in or out: every tab looks anew. */
export async function viewerChanged() {
  tell({ kind: "viewer" });
  await renew();
}

/** Begin; once a page. */
export async function start() {
  const others = new BroadcastChannel(`hotbay:${boot.api}`);
  others.onmessage = (event: MessageEvent<Message>) => hear(event.data);
  channel = others;
  if (navigator.locks) void navigator.locks.request(`hotbay:${boot.api}`, () => new Promise(() => lead()));
  else if (document.visibilityState === "visible") lead();
  document.addEventListener("visibilitychange", () => {
    if (!navigator.locks) (document.visibilityState === "visible" ? lead : leave)();
    if (document.visibilityState === "visible") void look();
  });
  window.addEventListener("online", () => void renew());
  window.addEventListener("offline", () => become("offline"));
  // A page that the browser kept and shows again may have slept for hours.
  window.addEventListener("pageshow", (event) => event.persisted && void renew());
  setInterval(() => state !== "live" && document.visibilityState === "visible" && void look(), POLL_MS);
  await look();
}

/** How this tab hears of changes, now. */
export const link = (): Link => state;

/** How this tab hears of changes. */
export function useLink(): Link {
  const subscribe = (watcher: () => void) => {
    watchers.add(watcher);
    return () => void watchers.delete(watcher);
  };
  return useSyncExternalStore(subscribe, link);
}

/** Call `handler` for each event `name`: `registry`, `operation` (admins), or what a plugin publishes. */
export function useEvents<T = unknown>(name: string, handler: (data: T) => void) {
  const latest = useRef(handler);
  useEffect(() => {
    latest.current = handler;
  });
  useEffect(() => {
    const mine: Handler = (data) => latest.current(data as T);
    const all = handlers.get(name) ?? new Set<Handler>();
    handlers.set(name, all.add(mine));
    return () => void all.delete(mine);
  }, [name]);
}
