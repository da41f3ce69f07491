// What the server says of its plans, in the language in use: it sends the sentences and what fills their gaps apart.
import { mark, t } from "../../sdk/words";
import type { PlanStep } from "../api/answers";
import type { PlanBody } from "../api/bodies";

/** Sentences with gaps, and what fills them. */
export type Words = PlanStep["words"];

export type Kind = PlanBody["kind"];

const KINDS: Record<string, string> = {
  install: mark("install"), activate: mark("activate"), deactivate: mark("deactivate"), upgrade: mark("upgrade"), rollback: mark("rollback"),
  uninstall: mark("uninstall"), backup: mark("backup"), restore: mark("restore"),
};

/** What a step does. Operations of older versions of Hotbay have no words, only the English sentence. */
export function stepText({ summary, words }: { summary: string; words?: Words | undefined }): string {
  return words?.length ? words.map(([text, values]) => t(text, values as Record<string, string | number>)).join("") : summary;
}

/** The kind of an operation. */
export const kindName = (kind: string): string => t(KINDS[kind] ?? kind);

/** `upgrade shop 1.0.0 → 1.1.0`. */
export function operationTitle({ kind, plugin, before, after }: { kind: string; plugin: string; before: string | null; after: string | null }): string {
  const versions = [...new Set([before, after].filter(Boolean))].join(" → ");
  return `${kindName(kind)} ${plugin} ${versions}`.trim();
}
