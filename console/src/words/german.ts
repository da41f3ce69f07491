// German, whole: fetched when it is in use.
import { tellBy } from "../../sdk/words";
import { GERMAN } from "./de";
import { ERRORS } from "./errors";
import { SENTENCES } from "./server";
import { learn, told } from "./told";

/** Its texts; from then on what the server says is recognised, too. */
export function german(): Record<string, string> {
  learn([...Object.keys(SENTENCES), ...Object.keys(ERRORS)]);
  tellBy(told);
  return { ...SENTENCES, ...ERRORS, ...GERMAN };
}
