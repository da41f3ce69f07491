// The shapes of the marketplace's API, as `src/hotbay/console/` answers them.
import type { Words } from "./planText";

export interface AddonLine {
  id: string;
  name: string;
  description: string | null;
  category: string | null;
  price: number | string | null;
  author: string | null;
  icon: string | null;
  features: string[] | null;
  homepage: string | null;
  license: string | null;
  runtime: "inprocess" | "isolated";
  versions: string[];
  latest: string;
  offered: boolean;
  installed: boolean;
  enabled: boolean;
  installed_version: string | null;
  update_available: boolean;
  problem: string;
}

export interface Addons {
  addons: AddonLine[];
  total: number;
  categories: string[];
  source: string;
  problems: { file?: string; field?: string; rule?: string; detail?: string; mend?: string }[];
}

export interface Manifest {
  changelog?: string;
  requires?: (string | { id: string })[];
  hotbay?: string;
  python?: string;
  permissions?: string[];
  migrations?: string;
  backend?: { routes?: string[]; dependencies?: string[]; runtime?: string };
  frontend?: { routes?: string[]; components?: string[] };
  database?: { tables?: string[]; reads?: string[] };
}

export interface Worker {
  worker: string;
  pid: number;
  version?: string;
  generation?: number;
  loaded?: boolean;
  in_flight?: number;
  requests?: number;
  failures?: number;
  held?: boolean;
  problem?: string;
  /** How its generation answered last, while a change waits for a confirmation. */
  health?: { failed: number; problem: string };
}

/** A change that goes back unless somebody confirms it, or what became of the last one. */
export interface Confirmation {
  plugin: string;
  name?: string;
  kind: string;
  actor: string;
  version: string;
  before_version: string;
  keep_new_rows: boolean;
  seconds: number;
  state: "pending" | "confirmed" | "reverted" | "failed" | "dropped";
  reason: string;
  at: string;
  deadline: string | null;
  seconds_left: number | null;
}

export interface LiveRow {
  id: string;
  name: string;
  version: string;
  enabled: boolean;
  state: string;
  sha256: string;
  source: string;
  grants: string[];
  installed_at: string;
  updated_at: string;
  problem: string;
  confirmation: Confirmation | null;
  has_settings: boolean;
  in_progress: boolean;
  manifest: Manifest & Partial<AddonLine>;
  workers?: Worker[];
  folder?: { name: string; active: boolean } | null;
  refusal?: { problem: string; at: string } | null;
}

export interface AddonDetail extends AddonLine {
  manifest: Manifest;
  packages: { version: string; sha256: string; size: number }[];
  history: { version: string; sha256: string; revision: number; at: string }[];
  readme: string;
  /** Names of pictures in the package. */
  screenshots: string[];
  live: LiveRow | null;
}

export interface Installed {
  epoch: string;
  rev: number;
  safe_mode: boolean;
  addons: LiveRow[];
  waiting: { id: string; folder: string; active: boolean; refusal: { problem: string; at: string } | null }[];
  strangers: string[];
}

export interface PlanStep {
  verb: string;
  summary: string;
  words?: Words;
  right: boolean;
}

export interface Plan {
  kind: string;
  plugin: string;
  title: string;
  before: { version: string } | null;
  after: { version: string } | null;
  steps: PlanStep[];
  permissions: string[];
  warnings: string[];
  lost: Record<string, Record<string, number>>;
  /** Tables of the host that it is to read. */
  reads: string[];
  /** Which of these wishes the version before did not have. */
  added: { permissions?: string[]; reads?: string[] };
  findings: Statement[];
}

/** A statement of a migration that does more than add, and when it runs. */
export interface Statement {
  code: string;
  file: string;
  line: number;
  statement: string;
  why: string;
  runs: string;
}

export type Kind = "install" | "activate" | "deactivate" | "upgrade" | "rollback" | "uninstall" | "backup" | "restore";

export interface OperationLine {
  id: number;
  kind: string;
  plugin: string;
  actor: string;
  state: "running" | "done" | "failed" | "undone" | string;
  switched: boolean;
  created_at: string;
  finished_at: string | null;
  title: string;
  before: string | null;
  after: string | null;
  detail: string;
}

export interface OperationDetail extends OperationLine {
  steps: { seq: number; verb: string; state: string; seconds: number | null; summary: string; words?: Words; error: { detail?: string; mend?: string } | null }[];
  result: { seconds?: number; warnings?: string[]; backup?: number; export?: string; merged?: Record<string, number>; lost?: Record<string, Record<string, number>> } | null;
  error: { detail?: string; mend?: string; code?: string } | null;
}

export interface Backup {
  id: number;
  plugin: string;
  version: string;
  at: string;
  bytes: number;
  rows: number;
  reason: string;
  operation: number | null;
}
