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

function formOf(sentence: string): RegExp {
  const seen = new Set<string>();
  const parts = sentence.split(GAP).map((part, index) => {
    if (index % 2 === 0) return part.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
    if (seen.has(part)) return `\\k<${part}>`;
    seen.add(part);
    return `(?<${part}>.+?)`;
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

/** A problem in one line, as the server's errors have it: what is wrong, what was there, and how to mend it. */
export interface Line {
  problem: string;
  value: string;
  mend: string;
}

const LINE = /^(?<problem>.+?)(?: \[[\w-]+\])?(?: \(got (?<value>.*?)\))?(?:; (?<mend>.+))?$/su;

export function lineOf(text: string): Line {
  const { problem = text, value = "", mend = "" } = LINE.exec(text)?.groups ?? {};
  return { problem, value, mend };
}
