import { Alert, Button, Group, Text } from "@mantine/core";
import { useEffect, useState } from "react";
import { Link, useLocation } from "react-router";
import { api } from "../../sdk/api";
import { useApi } from "../../sdk/data";
import { notify } from "../../sdk/doors";
import { useRegistry } from "../../sdk/registry";
import { useEvents } from "../../sdk/stream";
import { told, useT } from "../../sdk/words";
import { Icon } from "../../ui/Icon";
import type { Change } from "../market/change";
import { ChangeDialog } from "../market/ChangeDialog";
import type { Confirmation, Confirmations } from "../api/answers";
import { clock } from "../market/words";

const LATE_MS = 3000;

/** Seconds that are left, counted on from what the server said. */
function useSecondsLeft(waiting: Confirmation, over: () => void): number {
  const [now, setNow] = useState(() => performance.now());
  const [end, setEnd] = useState(() => performance.now() + (waiting.seconds_left ?? 0) * 1000);
  useEffect(() => setEnd(performance.now() + (waiting.seconds_left ?? 0) * 1000), [waiting]);
  useEffect(() => {
    const timer = setInterval(() => setNow(performance.now()), 250);
    return () => clearInterval(timer);
  }, []);
  const left = Math.max(0, (end - now) / 1000);
  // The server tells when it went back; this is for a tab that does not hear it.
  const isOver = left === 0;
  useEffect(() => {
    if (!isOver) return undefined;
    const timer = setInterval(over, LATE_MS);
    return () => clearInterval(timer);
  }, [isOver, over]);
  return left;
}

/** What "revert now" does: what would happen by itself later. */
function goingBack({ plugin, kind, name, before_version, keep_new_rows }: Confirmation): Change {
  const about = { plugin, name: name ?? plugin };
  if (kind === "install") return { ...about, kind: "uninstall", wishes: { data: "export" } };
  return { ...about, kind: "rollback", version: before_version, wishes: { keepNewRows: keep_new_rows } };
}

/** A change that waits: how long still, and the two ways out. Who shows it has the dialog of the second, which outlives it. */
export function Waiting({ waiting, reload, revert, linked = false }: { waiting: Confirmation; reload: () => void; revert: (change: Change) => void; linked?: boolean }) {
  const t = useT();
  const [busy, setBusy] = useState(false);
  const left = useSecondsLeft(waiting, reload);
  const name = waiting.name ?? waiting.plugin;
  const confirm = async () => {
    setBusy(true);
    try {
      await api.post(`/marketplace/confirm/${waiting.plugin}`);
      notify({ kind: "success", message: t("{name} {version} stays", { name, version: waiting.version }) });
    } catch (failure) {
      notify({ kind: "error", message: told((failure as Error).message) });
    }
    setBusy(false);
    reload();
  };
  const what = waiting.before_version
    ? t("Not confirmed, it goes back to {version}.", { version: waiting.before_version })
    : t("Not confirmed, it is uninstalled; its rows are kept in a file.");
  return (
    <Alert color="yellow" mb="lg" radius="md" icon={<Icon name="ClockIcon" size={20} />} data-waiting={waiting.plugin}>
      <Group justify="space-between" gap="md">
        <div>
          <Text fw={600} size="sm" component="div">
            {linked ? <Link className="hb-row" to={`/plugins/${waiting.plugin}`}>{name}</Link> : name} {waiting.version} · {left > 0
              ? <span role="timer" className="hb-number">{t("{time} to confirm", { time: clock(left) })}</span>
              : t("its time is over; it goes back now")}
          </Text>
          <Text size="sm">{what}</Text>
        </div>
        <Group gap="xs">
          <Button size="xs" loading={busy} disabled={left === 0} onClick={() => void confirm()}>{t("Confirm")}</Button>
          <Button size="xs" variant="default" onClick={() => revert(goingBack(waiting))}>{t("Revert now")}</Button>
        </Group>
      </Group>
    </Alert>
  );
}

/** Above every administrators' page: what waits for a confirmation. A plugin's own page shows its own. */
export function Unconfirmed() {
  const { pathname } = useLocation();
  // Every tab of every administrator hears of every change: it asks only when there is something to be told.
  const { unconfirmed } = useRegistry();
  const { data, reload } = useApi<Confirmations>(unconfirmed.length ? "/marketplace/confirmations" : null);
  const [change, setChange] = useState<Change | null>(null);
  useEvents("registry", reload);
  const shown = data?.confirmations.filter(({ plugin }) => unconfirmed.includes(plugin) && pathname !== `/plugins/${plugin}`) ?? [];
  return (
    <>
      {shown.length ? <div className="hb-page" style={{ paddingBottom: 0 }}>{shown.map((one) => <Waiting key={`${one.plugin} ${one.at}`} waiting={one} reload={reload} revert={setChange} linked />)}</div> : null}
      {change ? <ChangeDialog change={change} onClose={() => { setChange(null); reload(); }} /> : null}
    </>
  );
}
