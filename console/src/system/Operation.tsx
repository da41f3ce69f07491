import { Anchor, Badge, Card, CopyButton, Button, Group, SimpleGrid, Skeleton, Stack, Table, Text, Title } from "@mantine/core";
import { Link, useParams } from "react-router";
import { useApi } from "../../sdk/data";
import { useEvents } from "../../sdk/stream";
import type { Progress } from "../../sdk/types";
import { mark, useT } from "../../sdk/words";
import { Failure, RelativeTime, StatCard } from "../../ui/pieces";
import { Steps } from "../market/Steps";
import { operationTitle } from "../market/planText";
import { Report } from "../market/Report";
import type { OperationDetail, Receipts } from "../api/answers";
import { problemsOf, stepsOf } from "../market/useOperation";
import { seconds } from "../market/words";
import { OperationState } from "./OperationsTable";

const ms = (microseconds: number | null) => (microseconds === null ? "–" : `${(microseconds / 1000).toFixed(1)} ms`);

function Receipt({ number, plugin }: { number: number; plugin: string }) {
  const t = useT();
  // Asked for in the list: a receipt that is not written yet would be a 404, which browsers log as an error.
  const list = useApi<Receipts>("/marketplace/receipts", { plugin, limit: 1000 });
  const { reload } = list;
  const data = list.data?.receipts.find((one) => one.receipt.operation === number);
  if (!data) return list.data ? <Group><Text c="dimmed" size="sm">{t("The receipt is written some seconds after the operation.")}</Text><Button size="compact-xs" variant="default" onClick={reload}>{t("Look again")}</Button></Group> : <Skeleton height={160} />;
  const spans = [["before", mark("Before")], ["during", mark("During")], ["after", mark("After")]] as const;
  return (
    <Card withBorder padding="lg">
      <Group justify="space-between" mb="sm">
        <Group gap={8}><Text fw={600}>{t("Receipt")} {data.receipt.number}</Text><Badge variant="light" color="teal">{t("signed")}</Badge></Group>
        <CopyButton value={JSON.stringify(data, null, 1)}>{({ copied, copy }) => <Button size="compact-xs" variant="default" onClick={copy}>{copied ? t("Copied") : t("Copy")}</Button>}</CopyButton>
      </Group>
      <div style={{ overflowX: "auto" }}>
        <Table>
          <Table.Thead><Table.Tr><Table.Th>{t("Requests")}</Table.Th><Table.Th ta="right">{t("served")}</Table.Th><Table.Th ta="right">{t("failed")}</Table.Th><Table.Th ta="right">p50</Table.Th><Table.Th ta="right">p99</Table.Th></Table.Tr></Table.Thead>
          <Table.Tbody>{spans.map(([name, label]) => {
            const span = data.receipt.requests[name];
            return <Table.Tr key={name}><Table.Td>{t(label)}</Table.Td><Table.Td ta="right" className="hb-number">{span.requests}</Table.Td><Table.Td ta="right" className="hb-number">{span.failed}</Table.Td><Table.Td ta="right" className="hb-number">{ms(span.p50)}</Table.Td><Table.Td ta="right" className="hb-number">{ms(span.p99)}</Table.Td></Table.Tr>;
          })}</Table.Tbody>
        </Table>
      </div>
      <Text size="xs" c="dimmed" mt="sm" ff="monospace" style={{ overflowWrap: "anywhere" }}>{data.algorithm} {data.key} · {data.signature}</Text>
    </Card>
  );
}

/** One operation: its steps as they happen, and its receipt. */
export default function Operation() {
  const t = useT();
  const { number = "" } = useParams();
  const { data, error, reload } = useApi<OperationDetail>(`/marketplace/operations/${number}`);
  useEvents<Progress>("operation", (progress) => progress.operation === Number(number) && reload());
  if (error && !data) return <Failure error={error} retry={reload} />;
  if (!data) return <Stack><Skeleton height={60} /><Skeleton height={240} /></Stack>;
  const steps = stepsOf(data);
  return (
    <Stack gap="lg">
      <Anchor component={Link} to="/operations" size="sm" c="dimmed">← {t("Operations")}</Anchor>
      <Group gap={12}><Title order={1} fz={24}>{operationTitle(data)}</Title><OperationState state={data.state} /></Group>
      <SimpleGrid cols={{ base: 1, xs: 3 }}>
        <StatCard label={t("By")} value={data.actor} />
        <StatCard label={t("When")} value={<RelativeTime at={data.created_at} />} />
        <StatCard label={t("Took")} value={seconds(data.result?.seconds) || "–"} />
      </SimpleGrid>
      {data.error ? <Failure error={{ message: data.error.detail, mend: data.error.mend, problems: problemsOf(data.error) }} /> : null}
      <Report result={data.result} />
      <Card withBorder padding="lg"><Text fw={600} mb="sm">{t("Steps")}</Text><Steps steps={steps} /></Card>
      {data.state === "running" ? null : <Receipt number={data.id} plugin={data.plugin} />}
    </Stack>
  );
}
