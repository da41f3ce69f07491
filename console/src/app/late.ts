// Pages that are loaded when somebody goes there, also when the network fails just then.
import { type ComponentType, lazy } from "react";
import { ask } from "../../sdk/registry";
import { link } from "../../sdk/stream";
import { patiently } from "./patience";

const PAUSE_MS = 1000;

// For seconds nobody knows yet that the server is gone, or that it is back: so it is asked.
const line = {
  offline: () => link() === "offline",
  answers: () => ask().then(() => true, (error) => (error as { status?: number }).status !== 0),
};
const pause = () => new Promise((resolve) => setTimeout(resolve, PAUSE_MS));

/** `lazy`, which does not give up while there is no connection. */
export const late = (load: () => Promise<{ default: ComponentType }>): ComponentType => lazy(() => patiently(load, line, pause));
