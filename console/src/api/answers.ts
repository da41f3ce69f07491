// Written by scripts/console_types.py from the server's OpenAPI document; not by hand.

/** The last minutes in spans of `seconds`, all workers added up. */
export interface Activity {
  addon_id: string;
  seconds: number;
  total: Span;
  spans: Span[];
}

/** Wishes that the version before did not have. */
export interface Added {
  permissions?: string[];
  reads?: string[];
}

/** One plugin: its packages and README, names of its pictures, and what is installed of it. */
export interface AddonDetail {
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
  trust: Trust;
  manifest: Manifest;
  packages: Offered[];
  history: Kept[];
  readme: string;
  screenshots: string[];
  live: Live | null;
}

/** One line of the marketplace: of the newest offer, else of what is installed.

`trust` is of what is installed, else of the latest version. */
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
  trust: Trust;
}

/** A part of the marketplace. `total` counts what fits, `problems` says what is wrong with the source. */
export interface Addons {
  addons: AddonLine[];
  total: number;
  limit: number;
  offset: number;
  categories: string[];
  source: string;
  problems: Problem[];
}

/** The audit, the newest first. */
export interface Audit {
  entries: Entry[];
}

/** `backend` of a manifest. */
export interface BackendPart {
  routes?: string[];
  dependencies?: string[];
  runtime?: string;
}

/** A backup of a plugin's rows: `counts` by table, `migrations` that its tables had seen. */
export interface Backup {
  id: number;
  plugin: string;
  version: string;
  image: string;
  reason: string;
  operation: number;
  folder: string;
  counts: Record<string, number>;
  bytes: number;
  sha256: string;
  at: string;
  rows: number;
  migrations: number[];
  restored_by: number | null;
}

/** Backups, the newest first. */
export interface Backups {
  backups: Backup[];
}

/** An operation that goes on, and where to look after it. */
export interface Begun {
  operation: number;
  href: string;
}

/** How a generation's health check answered last. */
export interface Checked {
  failed: number;
  problem: string;
}

/** A change that goes back unless somebody confirms it, or what became of the last one. Times in seconds. */
export interface Confirmation {
  plugin: string;
  name?: string;
  operation: number;
  kind: string;
  actor: string;
  version: string;
  before_version: string;
  keep_new_rows: boolean;
  seconds: number;
  state: "pending" | "confirmed" | "reverted" | "failed" | "dropped";
  reason: string;
  attempts: number;
  at: string;
  ended_at: string | null;
  deadline: string | null;
  seconds_left: number | null;
  text: string;
}

/** What waits to be confirmed, the most urgent first. */
export interface Confirmations {
  confirmations: Confirmation[];
}

/** A table of a plugin; `bytes` with its indexes, none where the database can't tell. */
export interface DataTable {
  name: string;
  rows: number;
  bytes: number | null;
  columns: string[];
}

/** `database` of a manifest. */
export interface DatabasePart {
  tables?: string[];
  reads?: string[];
}

/** The backup that is gone. */
export interface Deleted {
  deleted: Backup;
}

/** A step that was done. */
export interface DoneStep {
  verb: string;
  seconds: number;
  record: Record<string, unknown>;
}

/** Who did what, when, with what result. */
export interface Entry {
  id: number;
  at: string;
  actor: string;
  action: string;
  plugin: string;
  before: string;
  after: string;
  result: string;
  operation: number | null;
  detail: Record<string, unknown> | null;
}

/** A file and its size. */
export interface File {
  name: string;
  bytes: number;
}

/** The files of the code in service, and of the plugin's own folder. */
export interface Files {
  addon_id: string;
  version: string;
  code: Folder;
  data: Folder;
}

/** What the doctor found: mended by itself (`fixable`), or when somebody decides so (`choice`). */
export interface Finding {
  id: string;
  check: string;
  level: "ok" | "warning" | "error";
  message: string;
  mend: string;
  plugin: string;
  fixable: boolean;
  choice: boolean;
}

/** A folder's files; of very many only the first, but all are counted. */
export interface Folder {
  path: string;
  count: number;
  bytes: number;
  files: File[];
}

/** `frontend` of a manifest. */
export interface FrontendPart {
  routes?: string[];
  components?: string[];
}

/** What the doctor finds. */
export interface Health {
  ok: boolean;
  findings: Finding[];
}

/** A worker. `booted`: seconds since the machine's start; `attended`: the beacon up to which it knows all wishes. */
export interface HostWorker {
  worker: string;
  pid: number;
  beacon: number;
  attended: number;
  plugins: Record<string, Record<string, unknown>>;
  booted: number;
  generations: number;
  jobs: boolean;
  safe_mode: boolean;
}

/** What is installed at a revision; `strangers` are names in the plugins folder that are no plugins. */
export interface Installed {
  epoch: string;
  rev: number;
  safe_mode: boolean;
  addons: InstalledRow[];
  waiting: Waiting[];
  strangers: string[];
}

/** A plugin that is installed, with what each worker and the plugins folder say. */
export interface InstalledRow {
  id: string;
  addon_id: string;
  name: string;
  version: string;
  enabled: boolean;
  state: string;
  sha256: string;
  image: string;
  revision: number;
  source: string;
  grants: string[];
  installed_at: string;
  updated_at: string;
  problem: string;
  trust: Trust;
  leak: Leak | null;
  confirmation: Confirmation | null;
  has_settings: boolean;
  in_progress: boolean;
  manifest: Manifest;
  workers: Worker[];
  folder: Place | null;
  refusal: Refusal | null;
}

/** A version that is kept here, to go back to. */
export interface Kept {
  version: string;
  sha256: string;
  revision: number;
  at: string;
}

/** A plugin that stayed in memory after unloading, `times` in a row. */
export interface Leak {
  times: number;
  version: string;
  operation: number;
  holders: string[];
}

/** Whether there is a licence key; the key itself is never answered. */
export interface License {
  addon_id: string;
  set: boolean;
}

/** What this host runs of one plugin. */
export interface Live {
  id: string;
  addon_id: string;
  name: string;
  version: string;
  enabled: boolean;
  state: string;
  sha256: string;
  image: string;
  revision: number;
  source: string;
  grants: string[];
  installed_at: string;
  updated_at: string;
  problem: string;
  trust: Trust;
  leak: Leak | null;
  confirmation: Confirmation | null;
  has_settings: boolean;
  in_progress: boolean;
  manifest: Manifest;
}

/** The end of a plugin's log. */
export interface LogLines {
  addon_id: string;
  lines: string[];
}

/** A package's manifest as it is written, with whatever else it has; `docs/manifest.schema.json` says all of it. */
export interface Manifest {
  name?: string;
  description?: string;
  category?: string;
  author?: string;
  icon?: string;
  homepage?: string;
  changelog?: string;
  requires?: (string | Record<string, unknown>)[];
  hotbay?: string;
  python?: string;
  permissions?: string[];
  migrations?: string;
  backend?: BackendPart;
  frontend?: FrontendPart;
  database?: DatabasePart;
}

/** A finding that could not be mended. */
export interface MendFailed {
  id: string;
  error: Problem;
}

/** What was mended, and what was found then. */
export interface Mended {
  ok: boolean;
  findings: Finding[];
  mended: MendedOne[];
  failed: MendFailed[];
}

/** A finding that is mended, and how. */
export interface MendedOne {
  id: string;
  done: string;
}

/** A package that is offered; `size` in bytes. */
export interface Offered {
  version: string;
  sha256: string;
  size: number;
  trust: Trust;
}

/** One operation. `unload`: each worker's proof for the old generation, none until the receipt is written. */
export interface OperationDetail {
  id: number;
  operation: number;
  kind: string;
  plugin: string;
  actor: string;
  state: string;
  switched: boolean;
  created_at: string;
  finished_at: string | null;
  title: string;
  before: string | null;
  after: string | null;
  detail: string;
  steps: StepRow[];
  result: Outcome | null;
  error: Problem | null;
  unload: Record<string, unknown> | null;
}

/** An operation without its steps; `detail` is why it failed. */
export interface OperationLine {
  id: number;
  operation: number;
  kind: string;
  plugin: string;
  actor: string;
  state: string;
  switched: boolean;
  created_at: string;
  finished_at: string | null;
  title: string;
  before: string | null;
  after: string | null;
  detail: string;
}

/** Operations, the newest first. */
export interface Operations {
  operations: OperationLine[];
}

/** How an operation ended, with numbers of backups and folders of exports where it made some. */
export interface Outcome {
  operation: number;
  kind: string;
  plugin: string;
  addon_id: string;
  version: string | null;
  before: string | null;
  state: string;
  message: string;
  restart_required: boolean;
  seconds: number;
  steps: DoneStep[];
  warnings: string[];
  backup?: number;
  export?: string;
  restored?: number;
  merged?: Record<string, number>;
  lost?: Record<string, Record<string, number>>;
  owed?: string;
  confirmation?: Confirmation;
}

/** One package as a host knows it. */
export interface Package {
  plugin: string;
  version: string;
  sha256: string;
  image: string;
  source: string;
}

/** A plugin's folder in the folder registry. */
export interface Place {
  name: string;
  active: boolean;
}

/** The steps of an operation and what an admin should know before: `lost` rows by table, `reads` of the host. */
export interface Plan {
  kind: string;
  plugin: string;
  title: string;
  before: Package | null;
  after: Package | null;
  state: string | null;
  steps: PlanStep[];
  permissions: string[];
  warnings: string[];
  lost: Record<string, Record<string, number>>;
  reason?: string;
  reads: string[];
  added: Added;
  findings: Statement[];
  trust?: PlanTrust;
}

/** A step; `right` of the switch it is finished. `words`: sentences with gaps, and what fills them. */
export interface PlanStep {
  verb: string;
  summary: string;
  params: Record<string, unknown>;
  right: boolean;
  words: [string, Record<string, unknown>][];
}

/** Who made the package that comes in; `was`: the verified publisher whom it takes the plugin from, or empty. */
export interface PlanTrust {
  state: "verified" | "unknown" | "unsigned" | "pinned" | "invalid";
  publisher: string;
  keyid: string;
  was: string;
}

/** A plan, as data and as text. */
export interface Planned {
  plan: Plan;
  text: string;
}

/** What is wrong with one thing: the same as in a problem document's `problems`, or such a document. */
export interface Problem {
  field?: string;
  rule?: string;
  value?: string;
  file?: string;
  code?: string;
  mend?: string;
  step?: string;
  type?: string;
  title?: string;
  status?: number;
  detail?: string;
  problems?: Record<string, unknown>[];
}

/** What a host's receipts are verified with (PEM). */
export interface PublicKey {
  algorithm: string;
  key: string;
  pem: string;
}

/** A publisher's key that this host trusts: `key` in one line, since when, and who said so. */
export interface Publisher {
  name: string;
  keyid: string;
  key: string;
  at: string;
  actor: string;
}

/** The trusted publishers, by name. `required`: packages of others are refused. */
export interface Publishers {
  publishers: Publisher[];
  required: boolean;
}

/** What was signed, with whatever else it has; `docs/receipts.md` says all of it. */
export interface Receipt {
  number: number;
  operation: number;
  microseconds: number;
  requests: ReceiptSpans;
  workers: ReceiptWorker[];
}

/** A plugin's requests in a time; latencies in microseconds. */
export interface ReceiptSpan {
  requests: number;
  failed: number;
  p50: number | null;
  p99: number | null;
}

/** Before, during and after an operation. */
export interface ReceiptSpans {
  before: ReceiptSpan;
  during: ReceiptSpan;
  after: ReceiptSpan;
}

/** What one worker had to do with it; memory in bytes. */
export interface ReceiptWorker {
  worker: string;
  memory_before: number | null;
  memory_after: number | null;
}

/** Signed receipts, the newest first, and the anchor that stands for those that are not kept any more. */
export interface Receipts {
  receipts: Signed[];
  anchor: Record<string, unknown> | null;
}

/** Why a folder is not brought in. */
export interface Refusal {
  problem: string;
  at: string;
}

/** A plugin's settings: JSON Schema and values; secrets are masked. */
export interface Settings {
  addon_id: string;
  schema: Record<string, unknown> | null;
  values: Record<string, unknown>;
  revision: number;
}

/** A receipt and its signature. */
export interface Signed {
  receipt: Receipt;
  algorithm: string;
  key: string;
  signature: string;
}

/** What came in a span from `at` (seconds since 1970); latencies in seconds, none without requests. */
export interface Span {
  at: number;
  requests: number;
  failed: number;
  p50: number | null;
  p99: number | null;
}

/** A statement of a migration that does more than add, and when it runs. */
export interface Statement {
  code: string;
  effect: string;
  file: string;
  line: number;
  statement: string;
  why: string;
  split: string;
  runs: string;
}

/** The registry's revision, who serves, and who writes (`lease`: the present or last one). */
export interface Status {
  epoch: string;
  rev: number;
  worker: string;
  safe_mode: boolean;
  workers: HostWorker[];
  lease: Record<string, unknown> | null;
  versions: Versions;
  api_prefix: string;
  source: string;
}

/** A step as the journal has it. */
export interface StepRow {
  seq: number;
  verb: string;
  state: string;
  seconds: number | null;
  error: string | null;
  summary: string;
  words: [string, Record<string, unknown>][];
  record: Record<string, unknown>;
}

/** A plugin's tables, and those of the host that it may read. */
export interface Tables {
  addon_id: string;
  tables: DataTable[];
  reads: string[];
  rows: number;
  bytes: number | null;
}

/** Who made a package; unless it is verified, publisher and key are only claimed, or empty. */
export interface Trust {
  state: "verified" | "unknown" | "unsigned" | "pinned" | "invalid";
  publisher: string;
  keyid: string;
}

/** Of Hotbay and of Python. */
export interface Versions {
  hotbay: string;
  python: string;
}

/** A folder whose plugin is not installed (yet). */
export interface Waiting {
  id: string;
  folder: string;
  active: boolean;
  refusal: Refusal | null;
}

/** What one worker says of one plugin, with whatever else it says. Before it knows it, the first three. */
export interface Worker {
  worker: string;
  pid: number;
  beacon: number;
  version?: string;
  generation?: number;
  loaded?: boolean;
  in_flight?: number;
  requests?: number;
  failures?: number;
  held?: boolean;
  problem?: string;
  health?: Checked;
}
