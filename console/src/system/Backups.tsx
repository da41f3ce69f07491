import { Button, Group, Skeleton, Stack, Table, Text } from "@mantine/core";
import { Link } from "react-router";
import { api } from "../../sdk/api";
import { useApi } from "../../sdk/data";
import { notify } from "../../sdk/doors";
import { useEvents } from "../../sdk/stream";
import { told, useT } from "../../sdk/words";
import { Failure, RelativeTime } from "../../ui/pieces";
import type { Change } from "../market/change";
import { kindName } from "../market/planText";
import type { Backup, Backups as Rows, InstalledRow as LiveRow } from "../api/answers";
import { size } from "../market/words";
import { SureButton } from "./SureButton";

function Line({ backup, change, reload }: { backup: Backup; change: () => void; reload: () => void }) {
  const t = useT();
  const drop = async () => {
    try {
      await api.delete(`/marketplace/backups/${backup.id}`);
      notify({ kind: "success", message: t("The backup was deleted") });
    } catch (failure) {
      notify({ kind: "error", message: told((failure as Error).message) });
    }
    reload();
  };
  const why = backup.reason === "backup" ? t("by wish") : t("before: {what}", { what: kindName(backup.reason) });
  return (
    <Table.Tr>
      <Table.Td className="hb-number">{backup.id}</Table.Td><Table.Td>{backup.version}</Table.Td><Table.Td><RelativeTime at={backup.at} /></Table.Td>
      <Table.Td>{backup.operation ? <Link className="hb-row" to={`/operations/${backup.operation}`}>{why}</Link> : why}</Table.Td>
      <Table.Td ta="right" className="hb-number">{backup.rows}</Table.Td><Table.Td ta="right" className="hb-number">{size(backup.bytes)}</Table.Td>
      <Table.Td>
        <Group gap={6} justify="flex-end" wrap="nowrap">
          <Button size="compact-xs" variant="default" onClick={change}>{t("Restore")}</Button>
          <SureButton size="compact-xs" variant="subtle" ask={t("Really delete?")} onSure={() => void drop()}>{t("Delete")}</SureButton>
        </Group>
      </Table.Td>
    </Table.Tr>
  );
}

/** A plugin's rows as they were, to put in place again. */
export function Backups({ row, change }: { row: LiveRow; change: (change: Change) => void }) {
  const t = useT();
  const { data, error, reload } = useApi<Rows>("/marketplace/backups", { plugin: row.id });
  useEvents("registry", reload);
  useEvents("operation", reload);
  const about = { plugin: row.id, name: row.name };
  if (error && !data) return <Failure error={error} retry={reload} />;
  if (!data) return <Skeleton height={200} radius={12} />;
  return (
    <Stack gap="lg">
      <Group justify="space-between"><Text size="sm" c="dimmed" maw={560}>{t("Restoring shows first which rows would be lost; the present ones are backed up before.")}</Text><Button size="xs" onClick={() => change({ ...about, kind: "backup" })}>{t("Back up now")}</Button></Group>
      {data.backups.length ? (
        <div className="hb-table"><Table>
          <Table.Thead><Table.Tr><Table.Th>#</Table.Th><Table.Th>{t("Version")}</Table.Th><Table.Th>{t("Made")}</Table.Th><Table.Th>{t("Why")}</Table.Th><Table.Th ta="right">{t("Rows")}</Table.Th><Table.Th ta="right">{t("Size")}</Table.Th><Table.Th aria-label={t("Actions")} /></Table.Tr></Table.Thead>
          <Table.Tbody>{data.backups.map((one) => <Line key={one.id} backup={one} reload={reload} change={() => change({ ...about, kind: "restore", backup: String(one.id) })} />)}</Table.Tbody>
        </Table></div>
      ) : <Text c="dimmed" size="sm">{t("There is no backup yet. One is made before every upgrade.")}</Text>}
    </Stack>
  );
}
