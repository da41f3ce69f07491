import { Badge, Skeleton, Table } from "@mantine/core";
import { Link } from "react-router";
import { useApi } from "../../sdk/data";
import { useEvents } from "../../sdk/stream";
import { useT } from "../../sdk/words";
import { Empty, Failure, PageHeader, RelativeTime } from "../../ui/pieces";
import type { Audit as Entries } from "../api/answers";

/** What did not come to be. */
const REFUSED = /^(?:refused|failed|recovered: undone)/;

/** Who did what, when, with what result. */
export default function Audit() {
  const t = useT();
  const { data, error, reload } = useApi<Entries>("/marketplace/audit", { limit: 300 });
  useEvents("registry", reload);
  return (
    <>
      <PageHeader title={t("Audit")} about={t("Who did what, when, and what came of it.")} />
      {error && !data ? <Failure error={error} retry={reload} /> : null}
      {!data && !error ? <Skeleton height={240} radius={12} /> : null}
      {data && !data.entries.length ? <Empty icon="ClipboardDocumentListIcon" title={t("Nothing has been changed yet")} /> : null}
      {data?.entries.length ? (
        <div className="hb-table"><Table highlightOnHover>
          <Table.Thead><Table.Tr><Table.Th>{t("When")}</Table.Th><Table.Th>{t("Who")}</Table.Th><Table.Th>{t("What")}</Table.Th><Table.Th>{t("Plugin")}</Table.Th><Table.Th>{t("Version")}</Table.Th><Table.Th>{t("Result")}</Table.Th></Table.Tr></Table.Thead>
          <Table.Tbody>{data.entries.map((entry) => (
            <Table.Tr key={entry.id}>
              <Table.Td><RelativeTime at={entry.at} /></Table.Td>
              <Table.Td>{entry.actor}</Table.Td>
              <Table.Td>{entry.operation ? <Link className="hb-row" to={`/operations/${entry.operation}`}>{t(entry.action)}</Link> : t(entry.action)}</Table.Td>
              <Table.Td>{entry.plugin}</Table.Td>
              <Table.Td className="hb-number">{[entry.before, entry.after].filter(Boolean).join(" → ")}</Table.Td>
              <Table.Td><Badge variant="light" color={REFUSED.test(entry.result) ? "red" : "teal"}>{t(entry.result)}</Badge></Table.Td>
            </Table.Tr>
          ))}</Table.Tbody>
        </Table></div>
      ) : null}
    </>
  );
}
