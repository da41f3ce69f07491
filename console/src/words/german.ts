// German, whole: fetched when it is in use.
import { GERMAN } from "./de";
import { SENTENCES } from "./server";
import { learn } from "./told";

/** Its texts; from then on what the server says is recognised, too. */
export function german(): Record<string, string> {
  learn(Object.keys(SENTENCES));
  return { ...SENTENCES, ...GERMAN };
}
