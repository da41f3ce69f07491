// What the server says in whole English sentences, in the language in use. What no form fits stays English; so does all
// of it where English is in use.
import { language, t } from "../../sdk/words";
import { type Form, formsOf, lineOf, recognise } from "./forms";

let forms: Form[] = [];

/** Know these sentences. */
export function learn(sentences: string[]) {
  forms = formsOf(sentences);
}

// What fills a gap may be a sentence too; a kind of operation is one word.
function filled([name, value]: [string, string]): [string, string] {
  return [name, value.includes(" ") ? sentence(value) : name === "kind" ? t(value) : value];
}

function sentence(text: string): string {
  const found = recognise(forms, text);
  if (!found) return text;
  return (found.place ?? "") + t(found.sentence, Object.fromEntries(Object.entries(found.values).map(filled)));
}

function line(text: string): string {
  const { problem, value, mend } = lineOf(text);
  return sentence(problem) + (value ? ` (${t("got {value}", { value })})` : "") + (mend ? `; ${sentence(mend)}` : "");
}

/** What the server said: a sentence, or an error with its problems and how to mend it, each in its line. */
export function told(text: string): string {
  if (language() === "en") return text;
  const [first = "", ...others] = text.split(/\n(?= {2}(?:- |mend: ))/);
  const parts = others.map((one) => (one.startsWith("  - ") ? `  - ${line(one.slice(4))}` : `  ${t("mend: {how}", { how: sentence(one.slice(8)) })}`));
  return [sentence(first), ...parts].join("\n");
}
