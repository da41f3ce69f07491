// The end of an operation whose dialog was closed while it ran.
import { api } from "../../sdk/api";
import { notify } from "../../sdk/doors";
import { told } from "../../sdk/words";
import type { OperationDetail } from "../api/answers";

const LOOK_MS = 1000;

/** Tell in the corner how it ended: `done`, or why it failed, which stays until somebody has read it. */
export function tellTheEnd(number: number, title: string, done: () => string): void {
  const again = (failure?: { status?: number }) => {
    // Who is signed out by now is told nothing; without a connection nothing is known yet.
    if (!failure?.status) setTimeout(() => void look().catch(again), LOOK_MS);
  };
  const look = async () => {
    const detail = await api.get<OperationDetail>(`/marketplace/operations/${number}`);
    if (detail.state === "running") again();
    else if (detail.state === "done") notify({ kind: "success", message: done() });
    else notify({ kind: "error", title, message: told(detail.error?.detail ?? detail.detail), stay: 0 });
  };
  void look().catch(again);
}
