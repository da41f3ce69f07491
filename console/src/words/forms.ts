// Recognises a sentence by its form: what is between its gaps is the same, letter by letter.

export interface Form {
  form: RegExp;
  sentence: string;
}

/** A sentence with gaps, and what fills them. */
export interface Recognised {
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

/** The first form that a text has; null when it has none. */
export function recognise(forms: Form[], text: string): Recognised | null {
  for (const { form, sentence } of forms) {
    const found = form.exec(text);
    if (found) return { sentence, values: { ...found.groups } };
  }
  return null;
}
