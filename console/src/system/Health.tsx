import { Alert, Button, Card, Group, Skeleton, Stack, Text, ThemeIcon } from "@mantine/core";
import { useState } from "react";
import { api } from "../../sdk/api";
import { useApi } from "../../sdk/data";
import { notify } from "../../sdk/doors";
import { told, useT } from "../../sdk/words";
import { Icon } from "../../ui/Icon";
import { Failure, PageHeader } from "../../ui/pieces";
import type { Health as Found, Mended } from "../api/answers";
import { Prose } from "./Prose";
import { SureButton } from "./SureButton";

const LOOK = { ok: ["teal", "CheckIcon"], warning: ["yellow", "ExclamationTriangleIcon"], error: ["red", "XMarkIcon"] } as const;
const ORDER = { error: 0, warning: 1, ok: 2 };

/** How to mend it, for somebody who has a button and no command line. */
const beside = (mend: string, button: string) => mend.replaceAll(/--mend(?: [\w-]+:\S+)?/g, `“${button}”`);

/** What the doctor finds, and a button for what it can mend itself. */
export default function Health() {
  const t = useT();
  const { data, error, loading, reload } = useApi<Found>("/hotbay/health");
  const [busy, setBusy] = useState(false);
  const mend = async (findings: string[] | "all") => {
    setBusy(true);
    try {
      const { mended, failed } = await api.post<Mended>("/hotbay/health/mend", { findings });
      const done = mended.map((one) => one.done).join(", ");
      if (done || !failed.length) notify({ kind: "success", message: done || t("There was nothing to mend.") });
      for (const one of failed) notify({ kind: "error", message: [one.error.detail, one.error.mend].map((text) => told(text ?? "")).filter(Boolean).join(" ") });
      reload();
    } catch (failure) {
      notify({ kind: "error", message: told((failure as Error).message) });
    }
    setBusy(false);
  };
  const findings = [...(data?.findings ?? [])].sort((a, b) => ORDER[a.level] - ORDER[b.level]);
  const fixable = findings.some((one) => one.fixable);
  return (
    <>
      <PageHeader title={t("Health")} about={t("Settings, database, images, folders, workers and secrets of this host.")}>
        <Button variant="default" onClick={reload} loading={loading && Boolean(data)}>{t("Examine again")}</Button>
        {fixable ? <Button onClick={() => void mend("all")} loading={busy}>{t("Mend what can be mended")}</Button> : null}
      </PageHeader>
      {error && !data ? <Failure error={error} retry={reload} /> : null}
      {!data && !error ? <Stack>{[1, 2, 3].map((one) => <Skeleton key={one} height={64} radius={12} />)}</Stack> : null}
      {data ? <Alert mb="lg" color={data.ok ? "teal" : "red"} title={data.ok ? t("This host is sound") : t("Something is wrong")} /> : null}
      <Stack gap="sm">
        {findings.map((one) => (
          <Card key={one.id} withBorder padding="md" radius="md">
            <Group wrap="nowrap" align="flex-start" gap="md">
              <ThemeIcon variant="light" radius="xl" color={LOOK[one.level][0]} role="img" aria-label={t(one.level)}><Icon name={LOOK[one.level][1]} size={16} /></ThemeIcon>
              <div style={{ flex: 1 }}><Text size="sm" fw={600} tt="capitalize">{told(one.check)}</Text><Text size="sm" style={{ overflowWrap: "anywhere" }}><Prose text={told(one.message)} /></Text>{one.mend ? <Text size="sm" c="dimmed"><Prose text={beside(told(one.mend), t("Mend"))} /></Text> : null}</div>
              {one.fixable ? <Button size="xs" variant="default" disabled={busy} onClick={() => void mend([one.id])}>{t("Mend")}</Button> : null}
              {one.choice ? (
                <SureButton size="xs" disabled={busy} ask={t("Really mend?")} onSure={() => void mend([one.id])}>{t("Mend …")}</SureButton>
              ) : null}
            </Group>
          </Card>
        ))}
      </Stack>
    </>
  );
}
