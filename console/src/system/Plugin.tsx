import { Alert, Anchor, Badge, Button, Card, Group, SimpleGrid, Skeleton, Stack, Table, Tabs, Text, Title } from "@mantine/core";
import { useState } from "react";
import { Link, useParams } from "react-router";
import { api } from "../../sdk/api";
import { Contribution } from "../../sdk/Contribution";
import { useApi } from "../../sdk/data";
import { notify } from "../../sdk/doors";
import { useRegistry } from "../../sdk/registry";
import { useEvents } from "../../sdk/stream";
import { useT } from "../../sdk/words";
import { Empty, Failure, RelativeTime, StatCard } from "../../ui/pieces";
import { type Change, ChangeDialog } from "../market/ChangeDialog";
import { Tile } from "../market/Tile";
import type { AddonDetail, Backup, Installed, Kind, LiveRow } from "../market/types";
import { permission } from "../market/words";
import { StateBadge } from "./Installed";
import { Logs } from "./Logs";
import { OperationsTable } from "./OperationsTable";
import { SettingsForm } from "./SettingsForm";
import { Waiting } from "./Unconfirmed";

function Overview({ row, detail }: { row: LiveRow; detail: AddonDetail | undefined }) {
  const t = useT();
  const workers = row.workers ?? [];
  const total = (name: "requests" | "failures" | "in_flight") => workers.reduce((all, worker) => all + (worker[name] ?? 0), 0);
  return (
    <Stack gap="lg">
      <SimpleGrid cols={{ base: 1, xs: 3 }}>
        <StatCard label={t("Requests")} value={total("requests")} about={t("since the workers started")} icon="ArrowsRightLeftIcon" />
        <StatCard label={t("Errors")} value={total("failures")} icon="ExclamationTriangleIcon" />
        <StatCard label={t("In flight")} value={total("in_flight")} icon="BoltIcon" />
      </SimpleGrid>
      <Card withBorder padding="lg">
        <Text fw={600} mb="sm">{t("Workers")}</Text>
        <div style={{ overflowX: "auto" }}>
          <Table>
            <Table.Thead><Table.Tr><Table.Th>{t("Process")}</Table.Th><Table.Th>{t("Version")}</Table.Th><Table.Th>{t("Generation")}</Table.Th><Table.Th>{t("State")}</Table.Th></Table.Tr></Table.Thead>
            <Table.Tbody>{workers.map((worker) => <Table.Tr key={worker.worker}><Table.Td className="hb-number">{worker.pid}</Table.Td><Table.Td>{worker.version ?? "–"}</Table.Td><Table.Td>{worker.generation ?? "–"}</Table.Td><Table.Td>{worker.problem || (worker.held ? t("requests wait") : worker.loaded ? t("serves") : t("loads at the first request"))}</Table.Td></Table.Tr>)}</Table.Tbody>
          </Table>
        </div>
      </Card>
      <Card withBorder padding="lg">
        <Text fw={600} mb="sm">{t("It may")}</Text>
        {row.grants.map((one) => <Text key={one} size="sm">{permission(one)}</Text>)}
      </Card>
      {detail?.history.length ? <Card withBorder padding="lg"><Text fw={600} mb="sm">{t("Versions kept here")}</Text>{detail.history.map((one) => <Group key={one.revision} gap={8}><Text size="sm" fw={550}>{one.version}</Text><Text size="sm" c="dimmed" component="span"><RelativeTime at={one.at} /></Text></Group>)}</Card> : null}
    </Stack>
  );
}

function Data({ row, change }: { row: LiveRow; change: (change: Change) => void }) {
  const t = useT();
  const { data, error, reload } = useApi<{ backups: Backup[] }>("/marketplace/backups", { plugin: row.id });
  useEvents("registry", reload);
  useEvents("operation", reload);
  const about = { plugin: row.id, name: row.name };
  const drop = async (backup: Backup) => {
    try {
      await api.delete(`/marketplace/backups/${backup.id}`);
      notify({ kind: "success", message: t("The backup was deleted") });
    } catch (failure) {
      notify({ kind: "error", message: (failure as Error).message });
    }
    reload();
  };
  if (error && !data) return <Failure error={error} retry={reload} />;
  return (
    <Stack gap="lg">
      <Card withBorder padding="lg">
        <Text fw={600} mb="sm">{t("Tables")}</Text>
        <Group gap={6}>{(row.manifest.database?.tables ?? []).map((one) => <Badge key={one} variant="default" ff="monospace" fw={500}>{one}</Badge>)}</Group>
      </Card>
      <Group justify="space-between"><Text fw={600}>{t("Backups")}</Text><Button size="xs" onClick={() => change({ ...about, kind: "backup" })}>{t("Back up now")}</Button></Group>
      {data?.backups.length ? (
        <div className="hb-table"><Table>
          <Table.Thead><Table.Tr><Table.Th>#</Table.Th><Table.Th>{t("Version")}</Table.Th><Table.Th>{t("Made")}</Table.Th><Table.Th>{t("Why")}</Table.Th><Table.Th aria-label={t("Actions")} /></Table.Tr></Table.Thead>
          <Table.Tbody>{data.backups.map((one) => (
            <Table.Tr key={one.id}>
              <Table.Td className="hb-number">{one.id}</Table.Td><Table.Td>{one.version}</Table.Td><Table.Td><RelativeTime at={one.at ?? one.created_at} /></Table.Td><Table.Td>{one.reason ?? ""}</Table.Td>
              <Table.Td><Group gap={6} justify="flex-end" wrap="nowrap"><Button size="compact-xs" variant="default" onClick={() => change({ ...about, kind: "restore", backup: String(one.id) })}>{t("Restore")}</Button><Button size="compact-xs" variant="subtle" color="red" onClick={() => void drop(one)}>{t("Delete")}</Button></Group></Table.Td>
            </Table.Tr>
          ))}</Table.Tbody>
        </Table></div>
      ) : <Text c="dimmed" size="sm">{t("There is no backup yet. One is made before every upgrade.")}</Text>}
    </Stack>
  );
}

/** The panels that the plugin itself brings, below the form that is made from its schema. */
function Panels({ plugin }: { plugin: string }) {
  const found = useRegistry().plugins.find((one) => one.id === plugin);
  return (found?.contributions.settings ?? []).map((panel) => found ? <Card key={panel.name} withBorder padding="lg" mt="lg"><Contribution plugin={found} entry={panel} where={{ kind: "settings", name: panel.name }} /></Card> : null);
}

/** One installed plugin: how it fares, its settings, logs, data and history. */
export default function Plugin() {
  const t = useT();
  const { id = "" } = useParams();
  const { data, error, reload } = useApi<Installed>("/marketplace/installed");
  const detail = useApi<AddonDetail>(`/marketplace/addons/${id}`);
  const [change, setChange] = useState<Change | null>(null);
  useEvents("registry", () => { reload(); detail.reload(); });
  const row = data?.addons.find((one) => one.id === id);
  if (error && !data) return <Failure error={error} retry={reload} />;
  if (!data) return <Stack><Skeleton height={72} /><Skeleton height={260} /></Stack>;
  if (!row) return <Empty icon="PuzzlePieceIcon" title={t("{name} is not installed", { name: detail.data?.name ?? id })} action={<Button component={Link} to={`/marketplace/${id}`}>{t("Go to Marketplace")}</Button>} />;
  const act = (kind: Kind) => setChange({ kind, plugin: row.id, name: row.name });
  return (
    <>
      <Anchor component={Link} to="/plugins" size="sm" c="dimmed">← {t("Installed plugins")}</Anchor>
      <Group mt="md" mb="lg" gap="lg">
        <Tile id={row.id} icon={row.manifest.icon} category={row.manifest.category} size={56} />
        <div style={{ flex: 1, minWidth: 200 }}>
          <Group gap={10}><Title order={1} fz={24}>{row.name}</Title><StateBadge row={row} /></Group>
          <Text size="sm" c="dimmed" component="div">{row.version} · {t("changed")} <RelativeTime at={row.updated_at} /></Text>
        </div>
        <Group gap="xs">
          {detail.data?.update_available ? <Button onClick={() => act("upgrade")}>{t("Upgrade to {version}", { version: detail.data.latest })}</Button> : null}
          <Button variant="default" onClick={() => act(row.enabled ? "deactivate" : "activate")}>{row.enabled ? t("Deactivate") : t("Activate")}</Button>
          {detail.data?.history.length ? <Button variant="default" onClick={() => act("rollback")}>{t("Roll back")}</Button> : null}
          <Button variant="default" c="red" onClick={() => act("uninstall")}>{t("Uninstall")}</Button>
        </Group>
      </Group>
      {row.confirmation?.state === "pending" ? <Waiting waiting={{ ...row.confirmation, name: row.name }} reload={reload} /> : null}
      {row.confirmation && ["reverted", "failed"].includes(row.confirmation.state) ? <Alert color={row.confirmation.state === "failed" ? "red" : "yellow"} mb="lg" title={t(row.confirmation.state === "failed" ? "{version} could not be taken back" : "{version} went back by itself", { version: row.confirmation.version })}>{row.confirmation.reason}</Alert> : null}
      {row.problem ? <Alert color="red" mb="lg" title={t("It does not serve")}>{row.problem}</Alert> : null}
      {row.refusal ? <Alert color="yellow" mb="lg" title={t("Its folder was refused")}>{row.refusal.problem}</Alert> : null}
      <Tabs defaultValue="overview" keepMounted={false}>
        <Tabs.List mb="lg">
          {[["overview", "Overview"], ...(row.has_settings ? [["settings", "Settings"]] : []), ["data", "Data"], ["logs", "Logs"], ["history", "History"]].map(([value, label]) => <Tabs.Tab key={value} value={value ?? ""}>{t(label ?? "")}</Tabs.Tab>)}
        </Tabs.List>
        <Tabs.Panel value="overview"><Overview row={row} detail={detail.data} /></Tabs.Panel>
        <Tabs.Panel value="settings"><SettingsForm plugin={row.id} /><Panels plugin={row.id} /></Tabs.Panel>
        <Tabs.Panel value="data"><Data row={row} change={setChange} /></Tabs.Panel>
        <Tabs.Panel value="logs"><Logs plugin={row.id} /></Tabs.Panel>
        <Tabs.Panel value="history"><OperationsTable plugin={row.id} /></Tabs.Panel>
      </Tabs>
      {change ? <ChangeDialog change={change} onClose={() => { setChange(null); reload(); detail.reload(); }} /> : null}
    </>
  );
}
