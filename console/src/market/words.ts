import { mark, t } from "../../sdk/words";

const PERMISSIONS: Record<string, string> = {
  "database.create_tables": mark("Make tables of its own in the database"),
  "database.read": mark("Read tables of this host"),
  "database.read_host": mark("Read tables of this host"),
  "api.register_routes": mark("Answer addresses of this site"),
  "network": mark("Connect to other servers"),
  "network.connect": mark("Connect to other servers"),
  "hooks": mark("Hear of events and change values"),
  "jobs": mark("Work in the background"),
  "files": mark("Keep files of its own"),
};

/** What a permission means to a person. */
export function permission(name: string): string {
  const [base, rest] = name.split(":", 2);
  const known = PERMISSIONS[name] ?? PERMISSIONS[base ?? ""];
  return known ? t(known) + (rest ? `: ${rest}` : "") : name;
}

/** A price as the cards show it. */
export function price(value: number | string | null | undefined): string {
  const number = Number(value ?? 0);
  if (!number) return t("FREE");
  return Number.isFinite(number) ? new Intl.NumberFormat(undefined, { style: "currency", currency: "EUR" }).format(number) : String(value);
}

export const isFree = (value: number | string | null | undefined) => !Number(value ?? 0);

/** A number of bytes in words. */
export function size(bytes: number): string {
  return bytes < 1024 * 1024 ? `${Math.max(1, Math.round(bytes / 1024))} KB` : `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}

/** Seconds as a person says them. */
export function seconds(value: number | null | undefined): string {
  if (value === null || value === undefined) return "";
  return value < 1 ? `${Math.max(1, Math.round(value * 1000))} ms` : `${value.toFixed(1)} s`;
}

/** Seconds that are left, as a clock shows them: `9:58`, `1:02:03`. */
export function clock(left: number): string {
  const whole = Math.ceil(left);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const shown = parts[0] ? parts : parts.slice(1);
  return shown.map((part, index) => (index ? String(part).padStart(2, "0") : String(part))).join(":");
}
