// What the shell does for plugins: go to a page, tell the user something.
import type { ReactNode } from "react";

export interface Note {
  title?: ReactNode;
  message: ReactNode;
  kind?: "info" | "success" | "warning" | "error";
  /** Milliseconds until it goes by itself; 0: it stays. */
  stay?: number;
}

type Go = (path: string, options?: { replace?: boolean }) => void;

/** What failed: which part of a plugin, and how. */
export interface Mishap {
  kind: string;
  name: string;
  message: string;
  stack: string;
}

let go: Go = (path) => location.assign(path);
let show: (note: Note) => void = () => undefined;

let restart = () => location.reload();
let failed: ((mishap: Mishap) => void) | null = null;

interface Doors {
  go?: Go;
  show?: (note: Note) => void;
  restart?: () => void;
  failed?: (mishap: Mishap) => void;
}

/** The shell says how. */
export function install(doors: Doors) {
  go = doors.go ?? go;
  show = doors.show ?? show;
  restart = doors.restart ?? restart;
  failed = doors.failed ?? failed;
}

/** Begin anew, where that is all that helps. */
export const beginAnew = () => restart();

/** Tell whoever is in charge of failures, if it is not the server itself; false when it is. */
export function tellFailed(mishap: Mishap): boolean {
  failed?.(mishap);
  return failed !== null;
}

/** Go to a page of the console without loading it anew: `navigate("/support/chats")`. */
export const navigate: Go = (path, options) => go(path, options);

/** Tell the user something, in a corner of the window. */
export const notify = (note: Note | string) => show(typeof note === "string" ? { message: note } : note);
