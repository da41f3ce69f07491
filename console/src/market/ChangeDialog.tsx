import { Alert, Badge, Button, Checkbox, Group, Modal, Radio, Select, Skeleton, Stack, Switch, Text, TextInput } from "@mantine/core";
import { useEffect, useRef, useState } from "react";
import { useNavigate } from "react-router";
import { notify } from "../../sdk/doors";
import { useRegistry } from "../../sdk/registry";
import { mark, t as text, useT } from "../../sdk/words";
import { Icon } from "../../ui/Icon";
import { Failure } from "../../ui/pieces";
import { useFocusBack, useFocusInside } from "../app/useFocusBack";
import { keepLicense, LicenseKey } from "./LicenseKey";
import { begin, type Change, COMES, PLAIN, usePlan, type Wishes } from "./change";
import { tellTheEnd } from "./leftAlone";
import { Report } from "./Report";
import { Steps } from "./Steps";
import { Told } from "./Told";
import type { Plan } from "../api/answers";
import { type OperationView, useOperation } from "./useOperation";

const VERBS: Record<Change["kind"], string> = {
  install: mark("Install"), activate: mark("Activate"), deactivate: mark("Deactivate"), upgrade: mark("Upgrade"), rollback: mark("Roll back"),
  uninstall: mark("Uninstall"), backup: mark("Back up"), restore: mark("Restore"), upload: mark("Install"),
};
const DONE: Record<Change["kind"], string> = {
  install: mark("{name} is installed"), activate: mark("{name} is active"), deactivate: mark("{name} is inactive"), upgrade: mark("{name} was upgraded"),
  rollback: mark("{name} was rolled back"), uninstall: mark("{name} was removed"), backup: mark("{name} was backed up"), restore: mark("The rows of {name} are restored"), upload: mark("{name} is installed"),
};

function Questions({ change, wishes, wish }: { change: Change; wishes: Wishes; wish: (next: Partial<Wishes>) => void }) {
  const t = useT();
  if (change.kind === "uninstall") {
    return (
      <Radio.Group label={t("What becomes of its data?")} value={wishes.data} onChange={(data) => wish({ data: data as Wishes["data"] })}>
        <Stack gap={6} mt={8}>
          <Radio value="export" label={t("Write it to a file, then remove it (can be restored)")} />
          <Radio value="keep" label={t("Keep its tables for a later installation")} />
          <Radio value="purge" color="red" label={t("Delete it")} />
        </Stack>
      </Radio.Group>
    );
  }
  if (change.kind === "rollback" || change.kind === "restore") {
    return (
      <Stack gap={6}>
        <Checkbox checked={wishes.keepNewRows} onChange={(event) => wish({ keepNewRows: event.currentTarget.checked })} label={t("Keep rows that were added since")} />
        <Checkbox checked={wishes.acceptLoss} onChange={(event) => wish({ acceptLoss: event.currentTarget.checked })} label={t("Go on even when rows are lost")} />
      </Stack>
    );
  }
  return COMES.has(change.kind) ? <Within change={change} wishes={wishes} wish={wish} /> : null;
}

const TIMES: [string, string, number][] = [
  ["60", mark("{count} minute"), 1], ["300", mark("{count} minutes"), 5], ["600", mark("{count} minutes"), 10], ["1800", mark("{count} minutes"), 30],
  ["3600", mark("{count} hour"), 1], ["86400", mark("{count} day"), 1],
];

/** Whether it goes back by itself, and when. */
function Within({ change, wishes, wish }: { change: Change; wishes: Wishes; wish: (next: Partial<Wishes>) => void }) {
  const t = useT();
  const on = wishes.confirmWithin !== "";
  const about = change.kind === "install" ? t("Uninstalls it again, unless somebody confirms it in time or it does worse than it should.") : t("Goes back to the version before, unless somebody confirms it in time or it does worse than before.");
  return (
    <Stack gap={8}>
      <Group gap="md" wrap="nowrap" align="flex-start" justify="space-between">
        <Switch checked={on} onChange={(event) => wish({ confirmWithin: event.currentTarget.checked ? "600" : "", keepNewRows: false })} label={t("Confirm, or it goes back")} description={about} />
        {on ? <Select w={140} size="xs" aria-label={t("Time to confirm")} allowDeselect={false} value={wishes.confirmWithin} onChange={(value) => wish({ confirmWithin: value ?? "600" })} data={TIMES.map(([value, label, count]) => ({ value, label: t(label, { count }) }))} /> : null}
      </Group>
      {on && change.kind !== "install" ? <Checkbox checked={wishes.keepNewRows} onChange={(event) => wish({ keepNewRows: event.currentTarget.checked })} label={t("If it goes back, keep rows that were added since")} /> : null}
    </Stack>
  );
}

/** Plan, permission, progress, end: the way of every change. Another change (a package that is dropped) begins anew. */
export function ChangeDialog(asked: { change: Change; onClose: () => void }) {
  const count = useRef({ of: asked.change, key: 0 });
  if (count.current.of !== asked.change) count.current = { of: asked.change, key: count.current.key + 1 };
  return <Asked key={count.current.key} {...asked} />;
}

function Asked({ change, onClose }: { change: Change; onClose: () => void }) {
  const t = useT();
  useFocusBack();
  const [wishes, setWishes] = useState<Wishes>({ ...PLAIN, ...change.wishes });
  const [typed, setTyped] = useState("");
  const [license, setLicense] = useState("");
  const [number, setNumber] = useState<number | null>(null);
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState<unknown>(null);
  const { plan, error, again } = usePlan(change, wishes);
  const leaving = Boolean(plan?.trust?.was) || (refused as { code?: string } | null)?.code === "other-publisher" || wishes.acceptPublisher;
  const losing = (change.kind === "uninstall" && wishes.data === "purge") || wishes.acceptLoss;
  const start = async () => {
    setBusy(true);
    setRefused(null);
    try {
      await keepLicense(change.plugin, license);
      setNumber(await begin(change, wishes, plan));
    } catch (failure) {
      setRefused(failure);
      again(); // What was planned may have changed since.
    }
    setBusy(false);
  };
  const title = change.kind === "upload" ? t("Install {name}", { name: change.name }) : `${t(VERBS[change.kind])}: ${change.name}`;
  const versions = plan?.before && plan.after && plan.before.version !== plan.after.version ? `${plan.before.version} → ${plan.after.version}` : (plan?.after?.version ?? plan?.before?.version);
  return (
    <Modal opened onClose={onClose} size={560} title={<Group gap={10}><Text fw={650} fz={17}>{title}</Text>{versions ? <Badge variant="light" color="gray">{versions}</Badge> : null}</Group>} closeButtonProps={{ "aria-label": t("Close") }}>
      {number !== null ? <Running number={number} change={change} plan={plan} onClose={onClose} /> : (
        <Stack gap="lg">
          <Questions change={change} wishes={wishes} wish={(next) => setWishes({ ...wishes, ...next })} />
          {change.paid && COMES.has(change.kind) ? <LicenseKey plugin={change.plugin} value={license} onChange={setLicense} /> : null}
          {plan ? <Told plan={plan} /> : null}
          {!plan && !error ? <Stack gap={10}>{[1, 2, 3, 4].map((one) => <Skeleton key={one} height={24} />)}</Stack> : null}
          {error || refused ? <Failure error={refused ?? error} /> : null}
          {leaving ? <Checkbox checked={wishes.acceptPublisher} onChange={(event) => setWishes({ ...wishes, acceptPublisher: event.currentTarget.checked })} label={t("Take it although it is not from the publisher of what is installed")} /> : null}
          {losing ? <TextInput label={t("Data will be lost. Type {id} to go on.", { id: change.plugin })} value={typed} onChange={(event) => setTyped(event.currentTarget.value)} /> : null}
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>{t("Cancel")}</Button>
            <Button color={change.kind === "uninstall" ? "red" : "brand"} loading={busy} data-autofocus={plan ? true : undefined} disabled={Boolean(error) || !plan || (losing && typed !== change.plugin) || (Boolean(plan?.trust?.was) && !wishes.acceptPublisher)} onClick={() => void start()}>
              {t(VERBS[change.kind])}
            </Button>
          </Group>
        </Stack>
      )}
    </Modal>
  );
}

/** The first page of a plugin that a person can open. */
function useFirstPage(plugin: string): string | null {
  const found = useRegistry().plugins.find((one) => one.id === plugin);
  return found?.contributions.menu?.[0]?.href ?? found?.contributions.pages?.[0]?.path ?? null;
}

/** Tells the end in the corner, also when the dialog was closed by then. */
function useEndTold(number: number, change: Change, state: OperationView["state"]) {
  const done = () => text(DONE[change.kind], { name: change.name });
  const last = useRef(state);
  last.current = state;
  useEffect(() => {
    if (state === "done") notify({ kind: "success", message: done() });
  }, [state]);
  useEffect(() => () => {
    if (last.current === "running") tellTheEnd(number, `${text(VERBS[change.kind])}: ${change.name}`, done);
  }, [number]);
}

function Running({ number, change, plan, onClose }: { number: number; change: Change; plan: Plan | null; onClose: () => void }) {
  const t = useT();
  const go = useNavigate();
  const view = useOperation(number, plan?.steps ?? []);
  const page = useFirstPage(change.plugin);
  const part = useRef<HTMLDivElement>(null);
  useFocusInside(part, view.state !== "running");
  const opens = page && ["install", "activate", "upgrade", "upload"].includes(change.kind);
  useEndTold(number, change, view.state);
  return (
    <Stack gap="lg" aria-live="polite" ref={part} tabIndex={-1} style={{ outline: "none" }}>
      <Steps steps={view.steps} />
      {view.state === "done" ? <Alert color="teal" p="sm" icon={<Icon name="CheckCircleIcon" size={20} />}>{t(DONE[change.kind], { name: change.name })}</Alert> : null}
      <Report result={view.result} />
      {view.state === "failed" ? <Failure error={{ message: view.error || t("The operation failed; everything is as before."), mend: view.mend, problems: view.problems }} /> : null}
      <Group justify="flex-end">
        <Button variant="subtle" color="gray" onClick={() => { onClose(); void go(`/operations/${number}`); }}>{t("Details")}</Button>
        <Button variant={opens ? "default" : "filled"} onClick={onClose} disabled={view.state === "running"}>{view.state === "running" ? t("Working …") : t("Close")}</Button>
        {view.state === "done" && opens ? <Button onClick={() => { onClose(); void go(page); }}>{t("Open")}</Button> : null}
      </Group>
    </Stack>
  );
}
