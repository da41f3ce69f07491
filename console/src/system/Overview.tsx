import { Anchor, Badge, Card, Group, SimpleGrid, Stack, Table, Text } from "@mantine/core";
import { Link } from "react-router";
import { useApi } from "../../sdk/data";
import { useEvents } from "../../sdk/stream";
import { told, useT } from "../../sdk/words";
import { RelativeTime } from "../../ui/pieces";
import type { AddonDetail, InstalledRow as LiveRow, Operations, Worker } from "../api/answers";
import { operationTitle } from "../market/planText";
import { permission } from "../market/words";
import { Activity } from "./Activity";
import { OperationState } from "./OperationsTable";

/** What a worker does with the plugin, in words. */
function useDoing() {
  const t = useT();
  return (worker: Worker) => (worker.problem && told(worker.problem)) || (worker.held ? t("requests wait") : worker.loaded ? t("serves") : t("loads at the first request"));
}

function Health({ worker }: { worker: Worker }) {
  const t = useT();
  const bad = worker.problem || worker.health?.problem;
  if (bad) return <Badge color="red" variant="light" title={told(bad)}>{t("bad")}</Badge>;
  return worker.loaded ? <Badge color="teal" variant="light">{t("good")}</Badge> : <Badge color="gray" variant="light">{t("asleep")}</Badge>;
}

function Workers({ workers }: { workers: Worker[] }) {
  const t = useT();
  const doing = useDoing();
  return (
    <Card withBorder padding="lg">
      <Text fw={600} mb="sm">{t("Workers")}</Text>
      <div style={{ overflowX: "auto" }}>
        <Table>
          <Table.Thead><Table.Tr><Table.Th>{t("Process")}</Table.Th><Table.Th>{t("Version")}</Table.Th><Table.Th>{t("Generation")}</Table.Th><Table.Th>{t("Health")}</Table.Th><Table.Th>{t("State")}</Table.Th><Table.Th ta="right">{t("Requests")}</Table.Th><Table.Th ta="right">{t("Errors")}</Table.Th><Table.Th ta="right">{t("In flight")}</Table.Th></Table.Tr></Table.Thead>
          <Table.Tbody>{workers.map((worker) => (
            <Table.Tr key={worker.worker}>
              <Table.Td className="hb-number">{worker.pid}</Table.Td><Table.Td>{worker.version ?? "–"}</Table.Td><Table.Td className="hb-number">{worker.generation || "–"}</Table.Td>
              <Table.Td><Health worker={worker} /></Table.Td><Table.Td>{doing(worker)}</Table.Td>
              <Table.Td ta="right" className="hb-number">{worker.requests ?? 0}</Table.Td><Table.Td ta="right" className="hb-number">{worker.failures ?? 0}</Table.Td><Table.Td ta="right" className="hb-number">{worker.in_flight ?? 0}</Table.Td>
            </Table.Tr>
          ))}</Table.Tbody>
        </Table>
      </div>
    </Card>
  );
}

function LastOperation({ plugin }: { plugin: string }) {
  const t = useT();
  const { data, reload } = useApi<Operations>("/marketplace/operations", { plugin, limit: 1 });
  useEvents("operation", reload);
  useEvents("registry", reload);
  const last = data?.operations[0];
  if (!last) return null;
  return (
    <Card withBorder padding="lg">
      <Text fw={600} mb="sm">{t("Last operation")}</Text>
      <Group gap={10}><Anchor component={Link} to={`/operations/${last.id}`} fw={550} size="sm">{operationTitle(last)}</Anchor><OperationState state={last.state} /></Group>
      <Text size="sm" c="dimmed" mt={6} component="div">{last.actor} · <RelativeTime at={last.created_at} /></Text>
      {last.detail ? <Text size="sm" c="red" mt={6}>{told(last.detail)}</Text> : null}
    </Card>
  );
}

/** How a plugin fares: its requests, its workers, what was done to it last, what it may. */
export function Overview({ row, detail }: { row: LiveRow; detail: AddonDetail | undefined }) {
  const t = useT();
  return (
    <Stack gap="lg">
      <Activity plugin={row.id} />
      <Workers workers={row.workers ?? []} />
      <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }}>
        <LastOperation plugin={row.id} />
        <Card withBorder padding="lg">
          <Text fw={600} mb="sm">{t("It may")}</Text>
          {row.grants.length ? row.grants.map((one) => <Text key={one} size="sm">{permission(one)}</Text>) : <Text size="sm" c="dimmed">{t("It asks for nothing.")}</Text>}
        </Card>
        {detail?.history.length ? <Card withBorder padding="lg"><Text fw={600} mb="sm">{t("Versions kept here")}</Text>{detail.history.map((one) => <Group key={one.revision} gap={8}><Text size="sm" fw={550}>{one.version}</Text><Text size="sm" c="dimmed" component="span"><RelativeTime at={one.at} /></Text></Group>)}</Card> : null}
      </SimpleGrid>
    </Stack>
  );
}
