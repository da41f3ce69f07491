import { useEffect, useReducer } from "react";
import { api } from "../../sdk/api";
import { useEvents } from "../../sdk/stream";
import type { Progress } from "../../sdk/types";
import type { Words } from "./planText";
import type { OperationDetail, PlanStep } from "../api/answers";

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
  result: OperationDetail["result"];
}

type Action = { kind: "detail"; detail: OperationDetail } | { kind: "progress"; progress: Progress };

/** What went wrong in a step, without how to mend it: that is said of the whole. */
export const firstLine = (error: string | null) => error?.split("\n", 1)[0] ?? "";

const LOOK_MS = 800;

function ofDetail(detail: OperationDetail): OperationView {
  const steps = detail.steps.map(({ verb, summary, words, state, seconds, error }) => ({ verb, summary, words, state, seconds, error: firstLine(error) }));
  const state = detail.state === "running" ? "running" : detail.state === "done" ? "done" : "failed";
  return { state, steps, error: detail.error?.detail ?? detail.detail, mend: detail.error?.mend ?? "", result: detail.result };
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
  const first = { state: "running" as const, error: "", mend: "", result: null, steps: planned.map((step) => ({ ...step, state: "", seconds: null, error: "" })) };
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
