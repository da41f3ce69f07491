import { useEffect, useReducer } from "react";
import { api } from "../../sdk/api";
import { useEvents } from "../../sdk/stream";
import type { Progress } from "../../sdk/types";
import type { Words } from "./planText";
import type { OperationDetail, PlanStep, Problem } from "../api/answers";

export interface StepView {
  verb: string;
  summary: string;
  words?: Words | undefined;
  state: string;
  seconds: number | null;
  error: string;
}

export interface OperationView {
  state: "running" | "done" | "failed";
  steps: StepView[];
  error: string;
  mend: string;
  problems: { field: string; rule: string }[];
  result: OperationDetail["result"];
}

type Action = { kind: "detail"; detail: OperationDetail } | { kind: "progress"; progress: Progress };

/** What became of each step; what went wrong in it without how to mend that, which is said of the whole. */
export const stepsOf = ({ steps }: OperationDetail): StepView[] => steps.map((step) => ({ ...step, error: step.error?.split("\n", 1)[0] ?? "" }));

/** What an error lists, each with its place. */
export const problemsOf = (error: Problem | null) => (error?.problems ?? []).map(({ field, rule }) => ({ field: String(field ?? ""), rule: String(rule ?? "") }));

const LOOK_MS = 800;

function ofDetail(detail: OperationDetail): OperationView {
  const state = detail.state === "running" ? "running" : detail.state === "done" ? "done" : "failed";
  return { state, steps: stepsOf(detail), error: detail.error?.detail ?? detail.detail, mend: detail.error?.mend ?? "", problems: problemsOf(detail.error), result: detail.result };
}

function reduce(view: OperationView, action: Action): OperationView {
  if (action.kind === "detail") return ofDetail(action.detail);
  const { verb, seq, state, seconds } = action.progress;
  // The end is taken from the operation itself, which says why, too.
  if (!verb || view.state !== "running") return view;
  return { ...view, steps: view.steps.map((step, index) => (index === seq ? { ...step, state, seconds: seconds || step.seconds } : step)) };
}

/** One operation, live: by the events, and by asking in case they don't come. */
export function useOperation(number: number | null, planned: PlanStep[]): OperationView {
  const first = { state: "running" as const, error: "", mend: "", problems: [], result: null, steps: planned.map((step) => ({ ...step, state: "", seconds: null, error: "" })) };
  const [view, act] = useReducer(reduce, first);
  const look = () => {
    if (number !== null) api.get<OperationDetail>(`/marketplace/operations/${number}`).then((detail) => act({ kind: "detail", detail }), () => undefined);
  };
  useEvents<Progress>("operation", (progress) => {
    if (progress.operation !== number) return;
    act({ kind: "progress", progress });
    if (!progress.verb && progress.state !== "running") look();
  });
  useEffect(() => {
    if (number === null || view.state !== "running") return undefined;
    look();
    const timer = setInterval(look, LOOK_MS);
    return () => clearInterval(timer);
  }, [number, view.state]);
  return view;
}
