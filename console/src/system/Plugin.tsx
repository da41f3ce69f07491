import { Alert, Anchor, Button, Card, Group, Skeleton, Stack, Tabs, Text, Title } from "@mantine/core";
import { useState } from "react";
import { Link, useParams, useSearchParams } from "react-router";
import { Contribution } from "../../sdk/Contribution";
import { useApi } from "../../sdk/data";
import { useRegistry } from "../../sdk/registry";
import { useEvents } from "../../sdk/stream";
import { mark, told, useT } from "../../sdk/words";
import { Empty, Failure, RelativeTime } from "../../ui/pieces";
import type { Change } from "../market/change";
import { ChangeDialog } from "../market/ChangeDialog";
import { Tile } from "../market/Tile";
import { Maker } from "../market/Trust";
import type { AddonDetail, Installed, InstalledRow } from "../api/answers";
import type { Kind } from "../market/planText";
import { Backups } from "./Backups";
import { Files, Tables } from "./Belongings";
import { StateBadge } from "./Installed";
import { Logs } from "./Logs";
import { OperationsTable } from "./OperationsTable";
import { Overview } from "./Overview";
import { SettingsForm } from "./SettingsForm";
import { Waiting } from "./Unconfirmed";

/** The panels that the plugin itself brings, below the form that is made from its schema. */
function Panels({ plugin }: { plugin: string }) {
  const found = useRegistry().plugins.find((one) => one.id === plugin);
  return (found?.contributions.settings ?? []).map((panel) => found ? <Card key={panel.name} withBorder padding="lg" mt="lg"><Contribution plugin={found} entry={panel} where={{ kind: "settings", name: panel.name }} /></Card> : null);
}

const TABS: [string, string][] = [
  ["overview", mark("Overview")], ["settings", mark("Settings")], ["logs", mark("Logs")], ["files", mark("Files")],
  ["tables", mark("Tables")], ["backups", mark("Backups")], ["history", mark("History")],
];

/** One installed plugin: how it fares, its settings, logs, data and history. The dialog of a change stays when that removed
 *  the plugin: it says what became of its rows. */
export default function Plugin() {
  const { id = "" } = useParams();
  const { data, error, reload } = useApi<Installed>("/marketplace/installed");
  const detail = useApi<AddonDetail>(`/marketplace/addons/${id}`);
  const [change, setChange] = useState<Change | null>(null);
  useEvents("registry", () => { reload(); detail.reload(); });
  if (error && !data) return <Failure error={error} retry={reload} />;
  if (!data) return <Stack><Skeleton height={72} /><Skeleton height={260} /></Stack>;
  const row = data.addons.find((one) => one.id === id);
  return (
    <>
      {row ? <Page key={id} row={row} detail={detail.data} reload={reload} change={setChange} /> : <Gone id={id} name={detail.data?.name} />}
      {change ? <ChangeDialog change={change} onClose={() => { setChange(null); reload(); detail.reload(); }} /> : null}
    </>
  );
}

function Gone({ id, name = id }: { id: string; name: string | undefined }) {
  const t = useT();
  return <Empty icon="PuzzlePieceIcon" title={t("{name} is not installed", { name })} action={<Button component={Link} to={`/marketplace/${id}`}>{t("Go to Marketplace")}</Button>} />;
}

function Page({ row, detail, reload, change }: { row: InstalledRow; detail: AddonDetail | undefined; reload: () => void; change: (change: Change) => void }) {
  const t = useT();
  const [search, setSearch] = useSearchParams();
  const tab = search.get("tab") ?? "overview";
  const panels = useRegistry().plugins.find((one) => one.id === row.id)?.contributions.settings?.length;
  const tabs = TABS.filter(([value]) => value !== "settings" || row.has_settings || panels);
  const act = (kind: Kind) => change({ kind, plugin: row.id, name: row.name });
  return (
    <>
      <Anchor component={Link} to="/plugins" size="sm" c="dimmed">← {t("Installed plugins")}</Anchor>
      <Group mt="md" mb="lg" gap="lg">
        <Tile id={row.id} icon={row.manifest.icon} category={row.manifest.category} size={56} />
        <div style={{ flex: 1, minWidth: 200 }}>
          <Group gap={10}><Title order={1} fz={24}>{row.name}</Title><StateBadge row={row} /></Group>
          <Text size="sm" c="dimmed" component="div"><Maker trust={row.trust} author={row.manifest.author} />{row.version} · {t("changed")} <RelativeTime at={row.updated_at} /></Text>
        </div>
        <Group gap="xs">
          {detail?.update_available ? <Button onClick={() => act("upgrade")}>{t("Upgrade to {version}", { version: detail.latest })}</Button> : null}
          <Button variant="default" onClick={() => act(row.enabled ? "deactivate" : "activate")}>{row.enabled ? t("Deactivate") : t("Activate")}</Button>
          {detail?.history.some((one) => one.sha256 !== row.sha256) ? <Button variant="default" onClick={() => act("rollback")}>{t("Roll back")}</Button> : null}
          <Button variant="default" c="red" onClick={() => act("uninstall")}>{t("Uninstall")}</Button>
        </Group>
      </Group>
      {row.confirmation?.state === "pending" ? <Waiting waiting={{ ...row.confirmation, name: row.name }} reload={reload} revert={change} /> : null}
      {row.confirmation && ["reverted", "failed"].includes(row.confirmation.state) ? <Alert color={row.confirmation.state === "failed" ? "red" : "yellow"} mb="lg" title={t(row.confirmation.state === "failed" ? "{version} could not be taken back" : "{version} went back by itself", { version: row.confirmation.version })}>{row.confirmation.reason}</Alert> : null}
      {row.problem ? <Alert color="red" mb="lg" styles={{ message: { whiteSpace: "pre-line" } }} title={t("It does not serve")}>{told(row.problem)}</Alert> : null}
      {row.refusal ? <Alert color="yellow" mb="lg" styles={{ message: { whiteSpace: "pre-line" } }} title={t("Its folder was refused")}>{told(row.refusal.problem)}</Alert> : null}
      <Tabs value={tabs.some(([value]) => value === tab) ? tab : "overview"} onChange={(value) => setSearch(value && value !== "overview" ? { tab: value } : {}, { replace: true })} keepMounted={false}>
        <Tabs.List mb="lg">
          {tabs.map(([value, label]) => <Tabs.Tab key={value} value={value}>{t(label)}</Tabs.Tab>)}
        </Tabs.List>
        <Tabs.Panel value="overview"><Overview row={row} detail={detail} /></Tabs.Panel>
        <Tabs.Panel value="settings">{row.has_settings ? <SettingsForm plugin={row.id} /> : null}<Panels plugin={row.id} /></Tabs.Panel>
        <Tabs.Panel value="files"><Files plugin={row.id} /></Tabs.Panel>
        <Tabs.Panel value="tables"><Tables plugin={row.id} /></Tabs.Panel>
        <Tabs.Panel value="backups"><Backups row={row} change={change} /></Tabs.Panel>
        <Tabs.Panel value="logs"><Logs plugin={row.id} /></Tabs.Panel>
        <Tabs.Panel value="history"><OperationsTable plugin={row.id} /></Tabs.Panel>
      </Tabs>
    </>
  );
}
