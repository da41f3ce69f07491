// The page inside of a frame: it asks the console for a channel, and shows the one contribution that it is told of.
import "../app/secure";
import "virtual:mantine.css";
import "../styles/console.css";
import { createRoot } from "react-dom/client";
import { install } from "../../sdk/doors";
import { type FromFrame, HELLO, type Init, type ToFrame } from "../../sdk/frame/messages";
import { keep, watchKept } from "../../sdk/hot";
import { load } from "../../sdk/modules";
import { followParent, hear } from "../../sdk/stream";
import { addMessages, provide, setLanguage } from "../../sdk/words";
import { announceForms } from "./forms";
import { FrameApp } from "./FrameApp";
import { watchSize } from "./measure";
import { connect, heardOf } from "./network";
import { outside } from "./outside";

type Say = (message: FromFrame, transfer?: Transferable[]) => void;

/** What the SDK does elsewhere by itself is asked of the console. */
function borrow(say: Say) {
  connect(say);
  followParent((message) => message.kind === "event" && say({ kind: "publish", name: message.name, data: message.data }));
  watchKept((key, value) => {
    try {
      say({ kind: "keep", key, json: JSON.stringify(value) });
    } catch {
      // What is no JSON lives as long as the frame.
    }
  });
  install({
    go: (path, options) => say({ kind: "go", path, replace: options?.replace ?? false }),
    show: (note) => say({ kind: "note", message: String(note.message), level: note.kind ?? "info", stay: note.stay ?? null }),
    restart: () => say({ kind: "again" }),
    failed: (mishap) => say({ kind: "failed", mishap }),
  });
}

function listen(port: MessagePort) {
  port.onmessage = ({ data }: MessageEvent<ToFrame>) => {
    if (data.kind === "told") hear(data.message);
    else if (data.kind === "look" || data.kind === "place") outside.change(data.kind === "look" ? { look: data.look } : { place: data.place });
    else heardOf(data);
  };
}

/** A link, and the key of the palette, mean the console. */
function passOn(say: Say) {
  addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest("a[href]") : null;
    if (!(link instanceof HTMLAnchorElement) || event.defaultPrevented || link.origin !== location.origin) return;
    event.preventDefault();
    say({ kind: "go", path: link.pathname + link.search + link.hash, replace: false });
  });
  addEventListener("keydown", (event) => {
    if (event.key !== "k" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    say({ kind: "palette" });
  });
  const failed = (error: unknown) => {
    const told = error instanceof Error ? error : new Error(String(error));
    say({ kind: "failed", mishap: { kind: "", name: "", message: told.message, stack: told.stack ?? "" } });
  };
  addEventListener("error", (event) => failed(event.error ?? event.message));
  addEventListener("unhandledrejection", (event) => failed(event.reason));
}

async function begin(init: Init, port: MessagePort) {
  const say: Say = (message, transfer = []) => port.postMessage(message, transfer);
  borrow(say);
  passOn(say);
  announceForms();
  addMessages(init.plugin.contributions.messages ?? {});
  outside.change({ look: init.look, place: init.place });
  setLanguage(init.look.language);
  await provide("de", async () => (await import("../words/de")).GERMAN);
  for (const [key, value] of init.kept) keep(init.plugin.id, key, value);
  hear({ kind: "snapshot", data: init.registry });
  listen(port);
  const entry = { ...init.entry, framed: false };
  // Whoever fails here fails again below, where it is shown and told.
  await load(init.plugin, entry).catch(() => undefined);
  const root = document.getElementById("root");
  if (!root) return;
  const shown = () => {
    watchSize(root, init.where.kind === "widget", say);
    say({ kind: "ready" });
  };
  createRoot(root).render(<FrameApp plugin={init.plugin} entry={entry} where={init.where} shown={shown} />);
}

function greet() {
  if (window.parent === window) return;
  let begun = false;
  addEventListener("message", (event: MessageEvent<Init>) => {
    const port = event.ports[0];
    // The console is of the origin that this page came from, though this page is of none.
    if (begun || event.source !== window.parent || event.origin !== location.origin || !port) return;
    begun = true;
    void begin(event.data, port);
  });
  window.parent.postMessage(HELLO, location.origin);
}

greet();
