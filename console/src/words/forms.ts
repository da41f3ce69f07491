// Recognises a sentence by its form: what is between its gaps is the same, letter by letter.

export interface Form {
  form: RegExp;
  sentence: string;
}

/** A sentence with gaps, and what fills them; before it, where that is so ("shop/up.sql: "). */
export interface Recognised {
  place?: string;
  sentence: string;
  values: Record<string, string>;
}

const GAP = /\{(\w+)\}/g;

/** What never has a blank in it: so that not any text with "needs" in it is taken for what the server says of a plugin. */
const WORDS = new Set(["plugin", "version", "number", "count", "script"]);

function formOf(sentence: string): RegExp {
  const seen = new Set<string>();
  const parts = sentence.split(GAP).map((part, index) => {
    if (index % 2 === 0) return part.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
    if (seen.has(part)) return `\\k<${part}>`;
    seen.add(part);
    return `(?<${part}>${WORDS.has(part) ? "\\S" : "."}+?)`;
  });
  return new RegExp(`^${parts.join("")}$`, "su");
}

/** The forms of sentences; whichever says most by itself is tried first. */
export function formsOf(sentences: string[]): Form[] {
  const own = (sentence: string) => sentence.replace(GAP, "").length;
  return sentences.toSorted((a, b) => own(b) - own(a)).map((sentence) => ({ form: formOf(sentence), sentence }));
}

function whole(forms: Form[], text: string): Recognised | null {
  for (const { form, sentence } of forms) {
    const found = form.exec(text);
    if (found) return { sentence, values: { ...found.groups } };
  }
  return null;
}

/** The first form that a text has, or what is behind a place in it; null when it has none. */
export function recognise(forms: Form[], text: string): Recognised | null {
  const found = whole(forms, text);
  if (found) return found;
  for (let at = text.indexOf(": "); at > 0; at = text.indexOf(": ", at + 2)) {
    const rest = whole(forms, text.slice(at + 2));
    if (rest) return { place: text.slice(0, at + 2), ...rest };
  }
  return null;
}

/** Puts a sentence into another language; a text without a translation stays as it is. */
export type Say = (sentence: string, values?: Record<string, string>) => string;

// A problem in one line, as errors have it: what is wrong, its code, what was there, and how to mend it.
const LINE = /^(?<problem>.+?)(?: \[[\w-]+\])?(?: \(got (?<value>.*?)\))?(?:; (?<mend>.+))?$/su;

function sentence(forms: Form[], text: string, say: Say): string {
  const found = recognise(forms, text);
  if (!found) return text;
  // What fills a gap may be a sentence too; a kind of operation is one word.
  const filled = Object.entries(found.values).map(([name, value]) => [name, value.includes(" ") ? sentence(forms, value, say) : name === "kind" ? say(value) : value]);
  return (found.place ?? "") + say(found.sentence, Object.fromEntries(filled) as Record<string, string>);
}

function line(forms: Form[], text: string, say: Say): string {
  const { problem = text, value = "", mend = "" } = LINE.exec(text)?.groups ?? {};
  return sentence(forms, problem, say) + (value ? ` (${say("got {value}", { value: sentence(forms, value, say) })})` : "") + (mend ? `; ${sentence(forms, mend, say)}` : "");
}

/** A sentence, or an error with its problems and how to mend it, each in its line. */
export function tell(forms: Form[], text: string, say: Say): string {
  const [first = "", ...others] = text.split(/\n(?= {2}(?:- |mend: ))/u);
  const parts = others.map((one) => (one.startsWith("  - ") ? `  - ${line(forms, one.slice(4), say)}` : `  ${say("mend: {how}", { how: sentence(forms, one.slice(8), say) })}`));
  return [sentence(forms, first, say), ...parts].join("\n");
}
