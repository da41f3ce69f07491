// One contributed component: loaded, guarded, and swapped for its next version only when that one is there.
import { Component, type ComponentType, type ErrorInfo, memo, type ReactNode, useEffect, useState } from "react";
import { api } from "./api";
import { beginAnew, tellFailed } from "./doors";
import { Framed } from "./frame/Framed";
import { PluginContext } from "./hot";
import { integrityOf, load, loaded, type Loadable } from "./modules";
import type { PluginEntry, PluginProps, Where } from "./types";
import { t } from "./words";

export type { Where };

/** Tell the server that a plugin failed in this browser; never fails itself. */
export function report(plugin: PluginEntry, where: Where, error: unknown) {
  const told = error instanceof Error ? error : new Error(String(error));
  const mishap = { kind: where.kind, name: where.name, message: told.message, stack: told.stack ?? "" };
  if (tellFailed(mishap)) return;
  const body = { plugin: plugin.id, digest: plugin.digest, ...mishap, url: location.href };
  api.post("/hotbay/browser-errors", body).catch(() => undefined);
}

/** What stands where a contribution failed. */
export function Broken({ plugin, where, retry }: { plugin: PluginEntry; where: Where; retry: () => void }) {
  return (
    <div className="hb-broken" role="alert">
      <strong>{t("{name} has a problem", { name: plugin.name })}</strong>
      <span>{t("This part of the plugin ({part}, version {version}) failed. The rest of the page works.", { part: where.name, version: plugin.version })}</span>
      <button type="button" onClick={retry}>{t("Try again")}</button>
    </div>
  );
}

interface GuardProps {
  plugin: PluginEntry;
  where: Where;
  children: ReactNode;
}

/** Keeps the failure of one contribution to itself, names the plugin and tells the server. */
export class Guard extends Component<GuardProps, { failed: string }> {
  override state = { failed: "" };
  static getDerivedStateFromError() {
    return { failed: "?" };
  }
  override componentDidCatch(error: unknown, _: ErrorInfo) {
    this.setState({ failed: this.props.plugin.digest });
    report(this.props.plugin, this.props.where, error);
  }
  override componentDidUpdate(before: GuardProps) {
    if (this.state.failed && before.plugin.digest !== this.props.plugin.digest) this.setState({ failed: "" });
  }
  override render() {
    if (!this.state.failed) return this.props.children;
    return <Broken plugin={this.props.plugin} where={this.props.where} retry={() => this.setState({ failed: "" })} />;
  }
}

type State = { plugin: PluginEntry; entry: Loadable; Found: ComponentType<PluginProps> } | null;

interface Props {
  plugin: PluginEntry;
  entry: Loadable;
  where: Where;
  waiting?: ReactNode;
}

const unchanged = (before: Props, now: Props) =>
  before.plugin === now.plugin && before.entry === now.entry && before.where.name === now.where.name && before.waiting === now.waiting;

/** Renders a contribution, in a frame if the host does not trust it; not anew while nothing of it has changed. */
export const Contribution = memo(function Contribution({ plugin, entry, where, waiting = null }: Props) {
  if (!entry.framed) return <Trusted plugin={plugin} entry={entry} where={where} waiting={waiting} />;
  const broken = (retry: () => void) => <Broken plugin={plugin} where={where} retry={retry} />;
  const failed = (error: Error) => report(plugin, where, error);
  return <Framed plugin={plugin} entry={entry} where={where} waiting={waiting} broken={broken} failed={failed} />;
}, unchanged);

/** In this very page; a new version replaces the old one once its code has been loaded. */
function Trusted({ plugin, entry, where, waiting }: Props) {
  const first = loaded(plugin, entry);
  const [shown, setShown] = useState<State>(first ? { plugin, entry, Found: first } : null);
  const [failure, setFailure] = useState<unknown>(null);
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    let gone = false;
    setFailure(null);
    load(plugin, entry).then(
      (Found) => !gone && setShown({ plugin, entry, Found }),
      (error: unknown) => {
        if (gone) return;
        setFailure(error);
        report(plugin, where, error);
      },
    );
    return () => {
      gone = true;
    };
    // Only another file is another component; the rest of the entry is about where it stands.
  }, [plugin.base, plugin.version, entry.module, entry.export, turn]);
  useEffect(() => {
    if (!failure) return undefined;
    const again = () => setTurn((old) => old + 1);
    window.addEventListener("online", again);
    return () => window.removeEventListener("online", again);
  }, [failure]);
  // A browser asks for a file anew, but does not run a module a second time: if it is broken, only a reload would.
  if (failure) return <Broken plugin={plugin} where={where} retry={() => (turn ? beginAnew() : setTurn(1))} />;
  if (!shown || shown.plugin.id !== plugin.id) return waiting;
  const about = { id: shown.plugin.id, version: shown.plugin.version, digest: shown.plugin.digest };
  return (
    <Guard plugin={shown.plugin} where={where}>
      <PluginContext value={about}>
        <shown.Found plugin={about} />
      </PluginContext>
    </Guard>
  );
}

export { integrityOf };
