// A contribution that the host does not trust, in a frame of an opaque origin: the browser keeps it from everything.
import { useComputedColorScheme } from "@mantine/core";
import { type CSSProperties, type ReactNode, useEffect, useRef, useState } from "react";
import { useLocation } from "react-router";
import { boot } from "../boot";
import { keptBy } from "../hot";
import type { Loadable } from "../modules";
import { onRegistry, registry } from "../registry";
import type { PluginEntry, Where } from "../types";
import { language, t, useT } from "../words";
import { Bridge } from "./Bridge";
import { type Box, HELLO, type Init, type Look, type Place } from "./messages";
import { told } from "./rules";

interface Shown {
  key: string;
  plugin: PluginEntry;
  entry: Loadable;
}

interface Props {
  plugin: PluginEntry;
  entry: Loadable;
  where: Where;
  waiting: ReactNode;
  broken: (retry: () => void) => ReactNode;
  failed: (error: Error) => void;
}

/** The frame of this version; that of the version before stays until this one shows something. */
export function Framed({ plugin, entry, where, waiting, broken, failed }: Props) {
  const [turn, setTurn] = useState(0);
  const [ready, setReady] = useState<Shown | null>(null);
  const [over, setOver] = useState("");
  const now = { key: [plugin.id, plugin.base, plugin.version, entry.module, entry.export, turn].join(" "), plugin, entry };
  const again = () => setTurn((old) => old + 1);
  if (over === now.key) return broken(again);
  const before = ready && ready.key !== now.key && ready.plugin.id === plugin.id ? [ready] : [];
  const lost = (why: string) => {
    failed(new Error(why));
    setReady(null);
    setOver(now.key);
  };
  return (
    <>
      {ready?.plugin.id === plugin.id ? null : waiting}
      {[...before, now].map((one) => (
        <OneFrame key={one.key} plugin={one.plugin} entry={one.entry} where={where} hidden={one.key === now.key && before.length > 0} ready={() => setReady(one)} again={again} lost={lost} failed={failed} />
      ))}
    </>
  );
}

interface OneProps extends Omit<Shown, "key"> {
  where: Where;
  hidden: boolean;
  ready: () => void;
  again: () => void;
  lost: (why: string) => void;
  failed: (error: Error) => void;
}

const LATE_MS = 30_000;
// What floats over the page stays below the console's own head, and can't cover the page.
const HEAD = 58;
const WIDEST = 480;
const TALLEST = 760;
const SHADOW = 14;

/** What of a floating frame is seen and clicked: the rest of the page stays free. */
function clip([left, top, right, bottom]: Box, width: number, height: number): string {
  const inner = { right: Math.min(width, right + SHADOW), bottom: Math.min(height, bottom + SHADOW) };
  const from = { left: Math.max(0, left - SHADOW, inner.right - WIDEST), top: Math.max(0, top - SHADOW, inner.bottom - TALLEST) };
  return `inset(${from.top}px ${Math.max(0, width - inner.right)}px ${Math.max(0, height - inner.bottom)}px ${from.left}px)`;
}

function styleOf(hidden: boolean, height: number, box: Box | null): CSSProperties {
  const plain: CSSProperties = { border: 0, display: "block", width: "100%", height, colorScheme: "inherit", background: "transparent" };
  if (box) return { ...plain, position: "fixed", top: HEAD, left: 0, height: `calc(100dvh - ${HEAD}px)`, zIndex: 150, visibility: hidden ? "hidden" : "visible", clipPath: clip(box, innerWidth, innerHeight - HEAD) };
  return hidden ? { ...plain, position: "absolute", left: 0, visibility: "hidden" } : plain;
}

/** Where somebody is: only the plugin's own pages are told. */
function usePlace(where: Where): Place {
  const { pathname, search, hash } = useLocation();
  return where.kind === "page" ? { pathname, search, hash } : { pathname: "/", search: "", hash: "" };
}

function OneFrame({ plugin, entry, where, hidden, ready, again, lost, failed }: OneProps) {
  const frame = useRef<HTMLIFrameElement>(null);
  const bridge = useRef<Bridge | null>(null);
  const loads = useRef(0);
  const [height, setHeight] = useState(1);
  const [box, setBox] = useState<Box | null>(null);
  const place = usePlace(where);
  useT();
  const look: Look = { scheme: useComputedColorScheme("light"), language: language() };
  const latest = useRef({ look, place, ready, again, lost, failed });
  latest.current = { look, place, ready, again, lost, failed };
  useEffect(() => {
    const late = setTimeout(() => latest.current.lost("the frame did not begin in time"), LATE_MS);
    const stage = {
      ready: () => {
        clearTimeout(late);
        latest.current.ready();
      },
      again: () => latest.current.again(),
      failed: (error: Error) => latest.current.failed(error),
      size: (found: number) => {
        setHeight(found);
        setBox(null);
      },
      // Only widgets float; a page and a panel have their place.
      float: (found: Box) => where.kind === "widget" && setBox(found),
      palette: () => void document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "k", code: "KeyK", ctrlKey: true, bubbles: true })),
    };
    const greet = (event: MessageEvent<unknown>) => {
      const window = frame.current?.contentWindow;
      if (!window || event.source !== window || event.origin !== "null" || event.data !== HELLO) return;
      if (bridge.current) return latest.current.lost("the frame left its page");
      const channel = new MessageChannel();
      bridge.current = new Bridge(channel.port1, plugin, where, stage);
      const { look: looks, place: places } = latest.current;
      const init: Init = { plugin, entry, where, registry: told(registry(), plugin), look: looks, place: places, kept: keptBy(plugin.id) };
      // An opaque origin has no name: that this is the right window is what the lines above know.
      window.postMessage(init, "*", [channel.port2]);
    };
    addEventListener("message", greet);
    const forget = onRegistry(() => bridge.current?.say({ kind: "told", message: { kind: "snapshot", data: told(registry(), plugin) } }));
    return () => {
      clearTimeout(late);
      removeEventListener("message", greet);
      forget();
      bridge.current?.close();
      bridge.current = null;
    };
  }, []);
  useEffect(() => bridge.current?.look(look), [look.scheme, look.language]);
  useEffect(() => bridge.current?.place(place), [place.pathname, place.search, place.hash]);
  const arrived = () => {
    loads.current += 1;
    if (loads.current > 1) lost("the frame left its page");
  };
  const title = t("{name}: {part}", { name: plugin.name, part: where.name });
  return <iframe ref={frame} src={boot.frame} sandbox="allow-scripts" referrerPolicy="no-referrer" title={title} data-plugin={plugin.id} data-version={plugin.version} onLoad={arrived} style={styleOf(hidden, height, box)} />;
}
