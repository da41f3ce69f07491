// A change: what is wished of it, its plan, and its beginning.
import { useEffect, useState } from "react";
import { api } from "../../sdk/api";
import type { Plan, Planned } from "../api/answers";
import type { InstallBody, PlanBody, RestoreBody, RollbackBody, ToggleBody, UpgradeBody } from "../api/bodies";
import type { Kind } from "./planText";

/** What somebody wants to change. */
export interface Change {
  kind: Kind | "upload";
  plugin: string;
  name: string;
  version?: string;
  backup?: string;
  file?: File;
  signature?: File | undefined;
  /** It has a price: a licence key is asked for. */
  paid?: boolean;
  /** What is wished at first; somebody may choose otherwise. */
  wishes?: Partial<Wishes>;
}

export interface Wishes {
  data: "export" | "keep" | "purge";
  keepNewRows: boolean;
  acceptLoss: boolean;
  /** Take it although it is not signed by the verified publisher of what is installed. */
  acceptPublisher: boolean;
  /** Seconds after which it goes back unless it is confirmed, as text; empty: it stays. */
  confirmWithin: string;
}

/** Nothing special. */
export const PLAIN: Wishes = { data: "export", keepNewRows: false, acceptLoss: false, acceptPublisher: false, confirmWithin: "" };
/** What may be confirmed later. */
export const COMES = new Set<Change["kind"]>(["install", "upgrade", "upload"]);

/** What the server is told of the time to confirm in; nothing when there is none. */
function confirming({ kind }: Change, wishes: Wishes) {
  if (!COMES.has(kind) || !wishes.confirmWithin) return {};
  const within = { confirm_within: wishes.confirmWithin };
  return kind === "install" || !wishes.keepNewRows ? within : { ...within, keep_new_rows: true };
}

function planBody(change: Change, wishes: Wishes): PlanBody {
  const kind = change.kind === "upload" ? "install" : change.kind;
  const body: PlanBody = { kind, addon_id: change.plugin, version: change.version ?? "" };
  if (COMES.has(change.kind)) Object.assign(body, { with_requirements: true }, confirming(change, wishes));
  if (change.kind === "uninstall") body.data = wishes.data;
  if (change.kind === "rollback" || change.kind === "restore") body.keep_new_rows = wishes.keepNewRows;
  if (change.kind === "restore") body.backup = change.backup ?? "latest";
  return body;
}

/** What is sent of an upload: the package, and its signature. */
function uploaded(change: Change, wishes: Wishes): [FormData, Record<string, string | boolean>] {
  const form = new FormData();
  form.append("file", change.file as File);
  if (change.signature) form.append("signature", change.signature);
  return [form, { ...confirming(change, wishes), ...(wishes.acceptPublisher ? { accept_publisher: true } : {}) }];
}

/** Begin the operation; answers its number. What comes in is the package of the plan that was agreed to, and no other. */
export async function begin(change: Change, wishes: Wishes, plan: Plan | null): Promise<number> {
  const { kind, plugin, version = "" } = change;
  const shown = plan?.after ? { version: plan.after.version, sha256: plan.after.sha256 } : { version };
  const query = { wait: false };
  const rows = { keep_new_rows: wishes.keepNewRows, accept_loss: wishes.acceptLoss };
  const within = confirming(change, wishes);
  const publisher = wishes.acceptPublisher ? { accept_publisher: true } : {};
  const ask = (): Promise<{ operation: number }> => {
    if (kind === "install") return api.post("/marketplace/install", { addon_id: plugin, ...shown, with_requirements: true, ...within } satisfies InstallBody, { query });
    if (kind === "uninstall") return api.delete(`/marketplace/uninstall/${plugin}`, { query: { ...query, data: wishes.data } });
    if (kind === "upgrade") return api.post(`/marketplace/upgrade/${plugin}`, { ...shown, with_requirements: true, ...within, ...publisher } satisfies UpgradeBody, { query });
    if (kind === "rollback") return api.post(`/marketplace/rollback/${plugin}`, { version, ...rows } satisfies RollbackBody, { query });
    if (kind === "restore") return api.post(`/marketplace/restore/${plugin}`, { backup: change.backup ?? "latest", ...rows } satisfies RestoreBody, { query });
    if (kind === "backup") return api.post(`/marketplace/backups/${plugin}`, undefined, { query });
    if (kind === "upload") {
      const [form, wished] = uploaded(change, wishes);
      return api.post("/marketplace/upload", form, { query: { ...query, ...wished } });
    }
    return api.post(`/marketplace/toggle/${plugin}`, { enabled: kind === "activate" } satisfies ToggleBody, { query });
  };
  return (await ask()).operation;
}

/** The plan of a change, made anew with every wish. */
export function usePlan(change: Change, wishes: Wishes) {
  const [plan, setPlan] = useState<Plan | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [count, setCount] = useState(0);
  const body = JSON.stringify(planBody(change, wishes));
  useEffect(() => {
    const stop = new AbortController();
    const { signal } = stop;
    const ask = () => {
      if (change.kind !== "upload") return api.post<Planned>("/marketplace/plan", JSON.parse(body) as PlanBody, { signal });
      const [form, query] = uploaded(change, wishes);
      return api.post<Planned>("/marketplace/upload/plan", form, { query, signal });
    };
    setError(null);
    ask().then(
      (found) => setPlan(found.plan),
      (failure: unknown) => !stop.signal.aborted && setError(failure),
    );
    return () => stop.abort();
  }, [body, change.kind, count]);
  return { plan, error, again: () => setCount((old) => old + 1) };
}
