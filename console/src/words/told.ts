// What the server says in whole English sentences, in the language in use. What no form fits stays English; so does all
// of it where English is in use.
import { language, t } from "../../sdk/words";
import { type Form, formsOf, recognise } from "./forms";

let forms: Form[] = [];

/** Know these sentences. */
export function learn(sentences: string[]) {
  forms = formsOf(sentences);
}

/** A sentence of the server. What fills its gaps may be a sentence too. */
export function told(text: string): string {
  const found = language() === "en" ? null : recognise(forms, text);
  if (!found) return text;
  const values = Object.entries(found.values).map(([name, value]) => [name, value.includes(" ") ? told(value) : value]);
  return t(found.sentence, Object.fromEntries(values) as Record<string, string>);
}
