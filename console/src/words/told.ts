// What the server says in whole English sentences, in the language in use. What no form fits stays English; so does all
// of it where English is in use.
import { language, t } from "../../sdk/words";
import { type Form, formsOf, tell } from "./forms";

let forms: Form[] = [];

/** Know these sentences. */
export function learn(sentences: string[]) {
  forms = formsOf(sentences);
}

/** What the server said: a sentence, or an error with its problems and how to mend it, each in its line. */
export const told = (text: string): string => (language() === "en" ? text : tell(forms, text, t));
