import { Alert, List, Text } from "@mantine/core";
import { t as text, told, useT } from "../../sdk/words";
import type { OperationDetail } from "../api/answers";

/** Rows that a change of tables loses. */
export function lostRows(lost: Record<string, Record<string, number>>): string[] {
  return Object.entries(lost).map(([table, numbers]) => text("{table}: lost: {count} added, {changed} changed, {deleted} deleted since", { table, count: numbers.added ?? 0, changed: numbers.changed ?? 0, deleted: numbers.deleted ?? 0 }));
}

/** What became of rows and files, where an operation had to do with them. */
export function Report({ result }: { result: OperationDetail["result"] }) {
  const t = useT();
  if (!result) return null;
  const lost = lostRows(result.lost ?? {});
  const merged = Object.entries(result.merged ?? {}).map(([table, count]) => t("{table}: {count} added rows were kept", { table, count }));
  const lines = [
    ...(result.backup ? [t("The rows before it are backup {number}.", { number: result.backup })] : []),
    ...(result.export ? [t("Its rows are in {file}.", { file: result.export })] : []),
    ...merged,
    ...lost,
    ...(result.warnings ?? []).map(told),
  ];
  if (!lines.length) return null;
  return (
    <Alert color={lost.length || result.warnings?.length ? "yellow" : "gray"} p="sm">
      <List size="sm" spacing={4}>{lines.map((line) => <List.Item key={line}><Text size="sm" component="span" style={{ overflowWrap: "anywhere" }}>{line}</Text></List.Item>)}</List>
    </Alert>
  );
}
