import { Alert, type AlertProps } from "@mantine/core";
import { told, useT } from "../../sdk/words";
import type { Problem } from "../api/answers";

/** What is wrong with a source: in which file, what, and how to mend it. */
export function SourceProblem({ problem, ...look }: { problem: Problem } & AlertProps) {
  const t = useT();
  const what = problem.detail ?? [problem.field, problem.rule].filter(Boolean).join(": ");
  return <Alert {...look} color="yellow" title={problem.file ?? t("A source has a problem")}>{told(what)} {told(problem.mend ?? "")}</Alert>;
}
