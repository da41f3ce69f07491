// Pages that are loaded when somebody goes there, also when the network fails just then.
import { type ComponentType, lazy } from "react";
import { link } from "../../sdk/stream";

const TRIES = 3;
const PAUSE_MS = 1000;

const pause = () => new Promise((resolve) => setTimeout(resolve, PAUSE_MS));

async function patiently<T>(load: () => Promise<T>): Promise<T> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await load();
    } catch (error) {
      // With a connection and still not there: the server has other files by now, or the page itself is broken.
      if (tried >= TRIES && link() !== "offline") throw error;
    }
    do await pause();
    while (link() === "offline");
  }
}

/** `lazy`, which does not give up while there is no connection. */
export const late = (load: () => Promise<{ default: ComponentType }>): ComponentType => lazy(() => patiently(load));
