import { ActionIcon, Alert, Badge, Button, Group, Menu, Skeleton, Table, Text } from "@mantine/core";
import { useState } from "react";
import { Link } from "react-router";
import { useApi } from "../../sdk/data";
import { useEvents } from "../../sdk/stream";
import { told, useT } from "../../sdk/words";
import { Icon } from "../../ui/Icon";
import { Empty, Failure, PageHeader, RelativeTime } from "../../ui/pieces";
import type { Change } from "../market/change";
import { ChangeDialog } from "../market/ChangeDialog";
import { Tile } from "../market/Tile";
import { Maker } from "../market/Trust";
import type { Addons, Installed as Rows, InstalledRow as LiveRow } from "../api/answers";
import type { Kind } from "../market/planText";
import { Upload } from "../market/Upload";

/** The state of a plugin in one word. */
export function StateBadge({ row }: { row: LiveRow }) {
  const t = useT();
  if (row.problem) return <Badge color="red" variant="light">{t("Problem")}</Badge>;
  if (row.in_progress) return <Badge color="brand" variant="light">{t("Changing")}</Badge>;
  return <Badge color={row.enabled ? "teal" : "gray"} variant="light">{row.enabled ? t("Active") : t("Inactive")}</Badge>;
}

const sum = (row: LiveRow, name: "requests" | "failures") => (row.workers ?? []).reduce((total, worker) => total + (worker[name] ?? 0), 0);

function RowMenu({ row, update, change }: { row: LiveRow; update: boolean; change: (kind: Kind) => void }) {
  const t = useT();
  return (
    <Menu position="bottom-end" withinPortal>
      <Menu.Target><ActionIcon variant="subtle" color="gray" aria-label={t("Actions for {name}", { name: row.name })}><Icon name="EllipsisVerticalIcon" size={18} /></ActionIcon></Menu.Target>
      <Menu.Dropdown>
        {update ? <Menu.Item onClick={() => change("upgrade")}>{t("Upgrade")}</Menu.Item> : null}
        <Menu.Item onClick={() => change(row.enabled ? "deactivate" : "activate")}>{row.enabled ? t("Deactivate") : t("Activate")}</Menu.Item>
        <Menu.Item onClick={() => change("rollback")}>{t("Roll back")}</Menu.Item>
        <Menu.Item onClick={() => change("backup")}>{t("Back up")}</Menu.Item>
        <Menu.Divider />
        <Menu.Item color="red" onClick={() => change("uninstall")}>{t("Uninstall")}</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

/** What is installed, how it fares, and what can be done with it. */
export default function Installed() {
  const t = useT();
  const { data, error, reload } = useApi<Rows>("/marketplace/installed");
  const offers = useApi<Addons>("/marketplace/addons", { installed: true, limit: 500 });
  const [change, setChange] = useState<Change | null>(null);
  useEvents("registry", () => { reload(); offers.reload(); });
  const updates = new Set(offers.data?.addons.filter((one) => one.update_available).map((one) => one.id));
  if (error && !data) return <Failure error={error} retry={reload} />;
  return (
    <>
      <PageHeader title={t("Installed plugins")} about={t("What this site runs. Every change is planned, journalled and can be undone.")}>
        <Upload onFile={(file, signature) => setChange({ kind: "upload", plugin: "", name: file.name, file, signature })} />
        <Button component={Link} to="/marketplace">{t("Browse the marketplace")}</Button>
      </PageHeader>
      {data?.waiting.map((item) => (
        <Alert key={item.id} mb="sm" styles={{ message: { whiteSpace: "pre-line" } }} color={item.refusal ? "red" : "yellow"} title={t("The folder {folder} is not installed", { folder: item.folder })}>{item.refusal ? told(item.refusal.problem) : t("It will be brought in soon.")}</Alert>
      ))}
      {!data ? <Skeleton height={220} radius={12} /> : data.addons.length ? (
        <div className="hb-table">
          <Table highlightOnHover>
            <Table.Thead><Table.Tr><Table.Th>{t("Plugin")}</Table.Th><Table.Th>{t("State")}</Table.Th><Table.Th>{t("Version")}</Table.Th><Table.Th>{t("Workers")}</Table.Th><Table.Th ta="right">{t("Requests")}</Table.Th><Table.Th ta="right">{t("Errors")}</Table.Th><Table.Th>{t("Changed")}</Table.Th><Table.Th aria-label={t("Actions")} /></Table.Tr></Table.Thead>
            <Table.Tbody>
              {data.addons.map((row) => (
                <Table.Tr key={row.id}>
                  <Table.Td><Group gap={12} wrap="nowrap"><Tile id={row.id} icon={row.manifest.icon} category={row.manifest.category} size={36} /><div><Link className="hb-row" to={`/plugins/${row.id}`}>{row.name}</Link><Text size="xs" c="dimmed" component="div"><Maker trust={row.trust} author={row.manifest.author} />{row.id}</Text></div></Group></Table.Td>
                  <Table.Td><StateBadge row={row} /></Table.Td>
                  <Table.Td><Group gap={6} wrap="nowrap"><span className="hb-number">{row.version}</span>{updates.has(row.id) ? <Badge size="xs" color="yellow" variant="light">{t("Update")}</Badge> : null}</Group></Table.Td>
                  <Table.Td className="hb-number">{(row.workers ?? []).filter((worker) => worker.loaded).length} / {row.workers?.length ?? 0}</Table.Td>
                  <Table.Td ta="right" className="hb-number">{sum(row, "requests")}</Table.Td>
                  <Table.Td ta="right" className="hb-number">{sum(row, "failures")}</Table.Td>
                  <Table.Td><Text size="sm" c="dimmed" component="span"><RelativeTime at={row.updated_at} /></Text></Table.Td>
                  <Table.Td ta="right"><RowMenu row={row} update={updates.has(row.id)} change={(kind) => setChange({ kind, plugin: row.id, name: row.name })} /></Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </div>
      ) : <Empty icon="PuzzlePieceIcon" title={t("No plugin is installed yet")} action={<Button component={Link} to="/marketplace">{t("Browse the marketplace")}</Button>}>{t("Plugins bring pages, menu entries, widgets and background work, without a restart.")}</Empty>}
      {change ? <ChangeDialog change={change} onClose={() => { setChange(null); reload(); offers.reload(); }} /> : null}
    </>
  );
}
