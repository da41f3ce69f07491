import { Badge, Skeleton, Table, Text } from "@mantine/core";
import { Link } from "react-router";
import { useApi } from "../../sdk/data";
import { useEvents } from "../../sdk/stream";
import { mark, told, useT } from "../../sdk/words";
import { Empty, Failure, RelativeTime } from "../../ui/pieces";
import { operationTitle } from "../market/planText";
import type { OperationLine, Operations } from "../api/answers";
import { seconds } from "../market/words";

const COLORS: Record<string, string> = { [mark("done")]: "teal", [mark("running")]: "brand", [mark("failed")]: "red", [mark("undone")]: "yellow" };

export function OperationState({ state }: { state: string }) {
  const t = useT();
  return <Badge variant="light" color={COLORS[state] ?? "gray"}>{t(state)}</Badge>;
}

function took(row: OperationLine): string {
  if (!row.finished_at) return "";
  return seconds((Date.parse(row.finished_at) - Date.parse(row.created_at)) / 1000);
}

/** Operations, the newest first; the running one moves. */
export function OperationsTable({ plugin = "" }: { plugin?: string }) {
  const t = useT();
  const { data, error, reload } = useApi<Operations>("/marketplace/operations", { plugin, limit: 100 });
  useEvents("operation", reload);
  useEvents("registry", reload);
  if (error && !data) return <Failure error={error} retry={reload} />;
  if (!data) return <Skeleton height={240} radius={12} />;
  if (!data.operations.length) return <Empty icon="ArrowPathIcon" title={t("Nothing has been changed yet")} />;
  return (
    <div className="hb-table">
      <Table highlightOnHover>
        <Table.Thead><Table.Tr><Table.Th>#</Table.Th><Table.Th>{t("Operation")}</Table.Th><Table.Th>{t("State")}</Table.Th><Table.Th>{t("By")}</Table.Th><Table.Th>{t("When")}</Table.Th><Table.Th ta="right">{t("Took")}</Table.Th></Table.Tr></Table.Thead>
        <Table.Tbody>
          {data.operations.map((row) => (
            <Table.Tr key={row.id}>
              <Table.Td className="hb-number">{row.id}</Table.Td>
              <Table.Td><Link className="hb-row" to={`/operations/${row.id}`}>{operationTitle(row)}</Link>{row.detail ? <Text size="xs" c="red" lineClamp={1}>{told(row.detail)}</Text> : null}</Table.Td>
              <Table.Td><OperationState state={row.state} /></Table.Td>
              <Table.Td>{row.actor}</Table.Td>
              <Table.Td><RelativeTime at={row.created_at} /></Table.Td>
              <Table.Td ta="right" className="hb-number">{took(row)}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}
