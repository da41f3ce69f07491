import { useSyncExternalStore } from "react";

/** Texts by the English one, by language. */
export type Messages = Record<string, Record<string, string>>;

const KEY = "hotbay.language";
const known = new Map<string, Map<string, string>>();
const elsewhere = new Map<string, () => Promise<Record<string, string>>>();
const listeners = new Set<() => void>();
let revision = 0;
let current = "en";

function tell() {
  revision += 1;
  for (const listener of listeners) listener();
}

/** Languages that can be chosen. */
export const LANGUAGES: Record<string, string> = { en: "English", de: "Deutsch" };

/** The language in use, as a BCP 47 tag. */
export const language = () => current;

/** Change the language of the whole console, and remember it in this browser. */
export function setLanguage(tag: string) {
  if (!(tag in LANGUAGES)) return;
  current = tag;
  document.documentElement.lang = tag;
  try {
    localStorage.setItem(KEY, tag);
  } catch {
    // A browser that keeps nothing still shows the language until it is closed.
  }
  tell();
  void fetchTexts(tag);
}

/** Texts that come when their language is first in use; those of the present one are there when this is done. */
export async function provide(tag: string, load: () => Promise<Record<string, string>>) {
  elsewhere.set(tag, load);
  if (tag === current) await fetchTexts(tag);
}

async function fetchTexts(tag: string) {
  const load = elsewhere.get(tag);
  if (!load) return;
  try {
    addMessages({ [tag]: await load() }, true);
    elsewhere.delete(tag);
  } catch {
    // Without the network it stays English; the next choice of the language tries again.
  }
}

/** Take the language that was chosen before, else the browser's first that is known. */
export function chooseLanguage() {
  let kept: string | null = null;
  try {
    kept = localStorage.getItem(KEY);
  } catch {
    kept = null;
  }
  const wanted = [kept ?? "", ...navigator.languages].map((tag) => tag.slice(0, 2));
  current = wanted.find((tag) => tag in LANGUAGES) ?? "en";
  document.documentElement.lang = current;
}

/**
 * Add texts. What was there under the same English text is replaced, unless only `missing` ones are wanted. Only what is
 * new in the language in use is told: whoever shows a text renders anew then, which is the whole page.
 */
export function addMessages(messages: Messages, missing = false) {
  let news = false;
  for (const [tag, texts] of Object.entries(messages)) {
    const all = known.get(tag) ?? new Map<string, string>();
    known.set(tag, all);
    for (const [english, text] of Object.entries(texts)) {
      if (all.get(english) === text || (missing && all.has(english))) continue;
      all.set(english, text);
      news ||= tag === current;
    }
  }
  if (news) tell();
}

/** A text in the language in use; `{name}` is replaced by `values.name`. Without a translation it stays English. */
export function t(english: string, values: Record<string, string | number> = {}): string {
  const text = known.get(current)?.get(english) ?? english;
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

let teller: (text: string) => string = (text) => text;

/** Let whole sentences of the server be told by this; a language brings it along with its texts. */
export function tellBy(another: (text: string) => string) {
  teller = another;
}

/** What the server said in English (an error, how to mend it), in the language in use; what is not known stays English. */
export const told = (text: string): string => teller(text);

/** Marks a text that is translated later, where it is shown: tests look for its translation. */
export const mark = (english: string): string => english;

/** Call a function when texts are others than before; answers how to stop. */
export function onWords(listener: () => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

/** `t`, and a new rendering when the language changes. */
export function useT(): typeof t {
  useSyncExternalStore(onWords, () => revision);
  return t;
}
