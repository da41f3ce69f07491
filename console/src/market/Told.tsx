import { Alert, Badge, Code, List, Stack, Text, ThemeIcon } from "@mantine/core";
import type { ReactNode } from "react";
import { mark, told, useT } from "../../sdk/words";
import { Icon } from "../../ui/Icon";
import { lostRows } from "./Report";
import { Steps } from "./Steps";
import { SignedBy } from "./Trust";
import type { Plan } from "../api/answers";
import { permission } from "./words";

/** When statements run that do more than add. */
const RUNS: Record<string, string> = {
  "while requests are held": mark("Its requests wait while this runs"),
  "after the switch": mark("This runs when no worker serves the version before any more"),
};

function Part({ title, children }: { title: string; children: ReactNode }) {
  return <div><Text size="sm" fw={600} mb={6}>{title}</Text>{children}</div>;
}

/** What the plugin may do then; what it could not do before is marked. */
function Wishes({ plan }: { plan: Plan }) {
  const t = useT();
  const wishes = [
    ...plan.permissions.map((one) => ({ key: one, text: permission(one), fresh: plan.added.permissions?.includes(one) })),
    ...plan.reads.map((name) => ({ key: `reads ${name}`, text: t("Read the host's table {name}", { name }), fresh: plan.added.reads?.includes(name) })),
  ];
  if (!wishes.length || plan.kind === "uninstall") return null;
  return (
    <Part title={t("It may then")}>
      <List spacing={4} size="sm" center icon={<ThemeIcon size={20} radius="xl" variant="light" color="gray"><Icon name="KeyIcon" size={12} /></ThemeIcon>}>
        {wishes.map(({ key, text, fresh }) => <List.Item key={key}>{text}{fresh ? <Badge ml={8} size="sm" variant="light" color="orange">{t("new")}</Badge> : null}</List.Item>)}
      </List>
    </Part>
  );
}

/** Statements of its migrations that do more than add, by when they run. */
function Statements({ plan }: { plan: Plan }) {
  const t = useT();
  const times = [...new Set(plan.findings.map((one) => one.runs))];
  return times.map((runs) => (
    <Part key={runs} title={t(RUNS[runs] ?? runs)}>
      <List size="sm" spacing={4}>
        {plan.findings.filter((one) => one.runs === runs).map((one) => <List.Item key={`${one.file} ${one.line} ${one.code}`} style={{ overflowWrap: "anywhere" }}>{told(one.why)} <Code title={one.statement}>{one.file}:{one.line}</Code></List.Item>)}
      </List>
    </Part>
  ));
}

/** A plan, before somebody agrees to it. */
export function Told({ plan }: { plan: Plan }) {
  const t = useT();
  const warnings = [...lostRows(plan.lost), ...plan.warnings.map(told)];
  return (
    <Stack gap="md">
      {plan.trust ? <SignedBy trust={plan.trust} /> : null}
      <Wishes plan={plan} />
      <Part title={t("What will happen")}>
        <Steps steps={plan.steps.map((step) => ({ ...step, state: "", seconds: null, error: "" }))} />
      </Part>
      <Statements plan={plan} />
      {warnings.length ? <Alert color={plan.trust?.was ? "orange" : "yellow"} p="sm" style={{ overflowWrap: "anywhere" }}>{warnings.map((one) => <div key={one}>{one}</div>)}</Alert> : null}
    </Stack>
  );
}
