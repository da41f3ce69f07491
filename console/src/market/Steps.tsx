import { Loader, Text } from "@mantine/core";
import { told, useT } from "../../sdk/words";
import { Icon } from "../../ui/Icon";
import type { StepView } from "./useOperation";
import { seconds } from "./words";
import { stepText } from "./planText";

const MARKS: Record<string, string> = { done: "CheckIcon", failed: "XMarkIcon", undone: "ArrowUturnLeftIcon", unfinished: "XMarkIcon" };

/** The steps of an operation, each with what became of it. */
export function Steps({ steps }: { steps: StepView[] }) {
  useT();
  return (
    <ol className="hb-steps">
      {steps.map((step, index) => {
        const mark = MARKS[step.state];
        return (
          <li key={`${index} ${step.verb}`} className="hb-step" data-state={step.state === "unfinished" ? "failed" : step.state}>
            <span className="hb-dot">{step.state === "running" ? <Loader size={14} /> : mark ? <Icon name={mark} size={14} /> : index + 1}</span>
            <div style={{ paddingTop: 1 }}>
              {stepText(step)}
              {step.error ? <Text size="sm" c="red">{told(step.error)}</Text> : null}
            </div>
            <Text size="xs" c="dimmed" className="hb-number" pt={3}>{seconds(step.seconds)}</Text>
          </li>
        );
      })}
    </ol>
  );
}
