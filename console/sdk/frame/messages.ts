// What the console and a frame say to each other, over a channel that nobody else has.
import type { Mishap } from "../doors";
import type { Loadable } from "../modules";
import type { Message } from "../stream";
import type { PluginEntry, Registry, Where } from "../types";

/** The first word of a frame's page, to the window around it. It says nothing but that it is there. */
export const HELLO = "hotbay:frame";

/** How it looks: colours and language are the console's. */
export interface Look {
  scheme: "light" | "dark";
  language: string;
}

export interface Place {
  pathname: string;
  search: string;
  hash: string;
}

/** Everything that a frame begins with; comes with the channel. */
export interface Init {
  plugin: PluginEntry;
  entry: Loadable;
  where: Where;
  registry: Registry;
  look: Look;
  place: Place;
  kept: [string, unknown][];
}

/** Left, top, right, bottom. */
export type Box = [number, number, number, number];

/** A frame says. The console believes none of it: see `Bridge`. */
export type FromFrame =
  | { kind: "ready" | "again" | "palette" }
  | { kind: "size"; height: number }
  | { kind: "float"; box: Box }
  | { kind: "fetch"; id: number; method: string; address: string; headers: [string, string][]; body: ArrayBuffer | null }
  | { kind: "abort"; id: number }
  | { kind: "go"; path: string; replace: boolean }
  | { kind: "note"; message: string; level: string; stay: number | null }
  | { kind: "publish"; name: string; data: unknown }
  | { kind: "keep"; key: string; json: string }
  | { kind: "failed"; mishap: Mishap };

/** The console says. */
export type ToFrame =
  | { kind: "told"; message: Message }
  | { kind: "look"; look: Look }
  | { kind: "place"; place: Place }
  | { kind: "answer"; id: number; status: number; headers: [string, string][] }
  | { kind: "chunk"; id: number; data: Uint8Array }
  | { kind: "end"; id: number; broken: string };
