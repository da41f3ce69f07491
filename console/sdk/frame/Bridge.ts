// The console's end of the channel to one frame. Each message is looked at before anything is done with it.
import { type Mishap, navigate, notify, type Note } from "../doors";
import { keep } from "../hot";
import { publish, tapEvents } from "../stream";
import type { PluginEntry, Where } from "../types";
import type { Box, FromFrame, Look, Place, ToFrame } from "./messages";
import { Requests } from "./Requests";
import { allowedPath, ownEvent, text } from "./rules";

/** What a frame does to the place where it stands. */
export interface Stage {
  ready: () => void;
  again: () => void;
  size: (height: number) => void;
  float: (box: Box) => void;
  failed: (error: Error) => void;
  palette: () => void;
}

const TALLEST = 20_000;
const KEPT = 100;
const KEPT_LENGTH = 100_000;
const LEVELS = ["info", "success", "warning", "error"];
const finite = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);

/** At most so many in so many milliseconds: a frame neither floods the window nor leads its viewer around. */
function allowance(most: number, ms: number) {
  const times: number[] = [];
  return () => {
    while (times[0] !== undefined && times[0] < Date.now() - ms) times.shift();
    return times.length < most && times.push(Date.now()) > 0;
  };
}

export class Bridge {
  private requests: Requests;
  private untap: () => void;
  private speaking = false;
  private may = { go: allowance(5, 10_000), note: allowance(5, 10_000), publish: allowance(50, 10_000), fail: allowance(5, 60_000), again: allowance(3, 60_000) };

  constructor(private port: MessagePort, private plugin: PluginEntry, where: Where, private stage: Stage) {
    this.requests = new Requests(plugin, where, (message) => this.say(message));
    this.untap = tapEvents((name, data) => this.tell(name, data));
    port.onmessage = (event: MessageEvent<unknown>) => this.hear(event.data);
  }

  say(message: ToFrame) {
    this.port.postMessage(message, message.kind === "chunk" ? [message.data.buffer] : []);
  }

  look = (look: Look) => this.say({ kind: "look", look });
  place = (place: Place) => this.say({ kind: "place", place });

  /** The frame is gone. */
  close() {
    this.untap();
    this.requests.stopAll();
    this.port.onmessage = null;
    this.port.close();
  }

  private tell(name: string, data: unknown) {
    if (!this.speaking && ownEvent(this.plugin, name)) this.say({ kind: "told", message: { kind: "event", name, data } });
  }

  private hear(data: unknown) {
    if (typeof data !== "object" || data === null) return;
    const said = data as FromFrame;
    if (said.kind === "ready") this.stage.ready();
    else if (said.kind === "size") finite(said.height) && this.stage.size(Math.min(TALLEST, Math.max(0, Math.ceil(said.height))));
    else if (said.kind === "float") Array.isArray(said.box) && said.box.length === 4 && said.box.every(finite) && this.stage.float(said.box);
    else if (said.kind === "fetch") void this.requests.ask(said);
    else if (said.kind === "abort") this.requests.stop(said.id);
    else this.wish(said);
  }

  private wish(said: FromFrame) {
    if (said.kind === "go") this.go(said.path, said.replace === true);
    else if (said.kind === "note") this.note(said.message, said.level, said.stay);
    else if (said.kind === "publish") this.publish(said.name, said.data);
    else if (said.kind === "keep") this.keep(said.key, said.json);
    else if (said.kind === "failed") this.failed(said.mishap);
    else if (said.kind === "palette") this.stage.palette();
    else if (said.kind === "again" && this.may.again()) this.stage.again();
  }

  private go(wanted: unknown, replace: boolean) {
    const path = allowedPath(wanted);
    if (path !== null && this.may.go()) navigate(path, { replace });
  }

  /** Always under the plugin's name: it can't speak as the console. */
  private note(said: unknown, level: unknown, stay: unknown) {
    const message = text(said, 500);
    if (message === null || !this.may.note()) return;
    const kind = LEVELS.includes(String(level)) ? (level as Note["kind"]) : "info";
    notify({ title: this.plugin.name, message, kind, ...(finite(stay) && stay > 0 ? { stay: Math.min(stay, 30_000) } : {}) });
  }

  private publish(name: unknown, data: unknown) {
    if (!ownEvent(this.plugin, name) || !this.may.publish()) return;
    this.speaking = true;
    publish(name, name === "badges" ? null : data);
    this.speaking = false;
  }

  private keep(key: unknown, json: unknown) {
    const value = text(json, KEPT_LENGTH);
    if (text(key, 200) === null || value === null) return;
    try {
      keep(this.plugin.id, key as string, JSON.parse(value), KEPT);
    } catch {
      // No JSON: nothing that a frame of ours would say.
    }
  }

  private failed(mishap: Mishap | undefined) {
    if (!this.may.fail()) return;
    const error = new Error(text(mishap?.message, 2000) ?? "?");
    error.stack = text(mishap?.stack, 8000) ?? "";
    this.stage.failed(error);
  }
}
