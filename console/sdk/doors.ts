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

let go: Go = (path) => location.assign(path);
let show: (note: Note) => void = () => undefined;

/** The shell says how. */
export function install(doors: { go?: Go; show?: (note: Note) => void }) {
  go = doors.go ?? go;
  show = doors.show ?? show;
}

/** Go to a page of the console without loading it anew: `navigate("/support/chats")`. */
export const navigate: Go = (path, options) => go(path, options);

/** Tell the user something, in a corner of the window. */
export const notify = (note: Note | string) => show(typeof note === "string" ? { message: note } : note);
