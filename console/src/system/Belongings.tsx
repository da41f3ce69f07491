import { Badge, Card, Group, Skeleton, Stack, Table, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { useApi } from "../../sdk/data";
import { useEvents } from "../../sdk/stream";
import { useT } from "../../sdk/words";
import { Icon } from "../../ui/Icon";
import { Empty, Failure } from "../../ui/pieces";
import type { Files, Folder, Tables } from "../api/answers";
import { size } from "../market/words";

function Listing({ title, about, folder, words }: { title: string; about: string; folder: Folder; words: string }) {
  const t = useT();
  const shown = folder.files.filter((one) => one.name.toLowerCase().includes(words.toLowerCase()));
  return (
    <Card withBorder padding="lg">
      <Group justify="space-between" mb={4}><Text fw={600}>{title}</Text><Badge variant="light" color="gray">{t("{count} files, {size}", { count: folder.count, size: folder.bytes ? size(folder.bytes) : "0 KB" })}</Badge></Group>
      <Text size="sm" c="dimmed">{about}</Text>
      <Text size="xs" c="dimmed" ff="monospace" mb="sm" style={{ overflowWrap: "anywhere" }}>{folder.path}</Text>
      {shown.length ? (
        <div style={{ maxHeight: 420, overflow: "auto" }} tabIndex={0} role="region" aria-label={title}>
          <Table>
            <Table.Tbody>{shown.map((one) => <Table.Tr key={one.name}><Table.Td ff="monospace" fz="sm" style={{ overflowWrap: "anywhere" }}>{one.name}</Table.Td><Table.Td ta="right" className="hb-number" style={{ whiteSpace: "nowrap" }}>{size(one.bytes)}</Table.Td></Table.Tr>)}</Table.Tbody>
          </Table>
        </div>
      ) : <Text size="sm" c="dimmed">{t("No file is here.")}</Text>}
      {folder.count > folder.files.length ? <Text size="xs" c="dimmed" mt="xs">{t("Only the first {count} are listed.", { count: folder.files.length })}</Text> : null}
    </Card>
  );
}

/** The files of a plugin's code, and those it keeps. */
export function Files({ plugin }: { plugin: string }) {
  const t = useT();
  const [words, setWords] = useState("");
  const { data, error, reload } = useApi<Files>(`/marketplace/files/${plugin}`);
  useEvents("registry", reload);
  if (error && !data) return <Failure error={error} retry={reload} />;
  if (!data) return <Skeleton height={240} radius={12} />;
  return (
    <Stack gap="lg">
      <TextInput value={words} onChange={(event) => setWords(event.currentTarget.value)} placeholder={t("Search files")} aria-label={t("Search files")} leftSection={<Icon name="MagnifyingGlassIcon" size={16} />} maw={320} />
      <Listing title={t("Code of {version}", { version: data.version })} about={t("As it was unpacked; it never changes.")} folder={data.code} words={words} />
      <Listing title={t("Its own folder")} about={t("What it wrote itself.")} folder={data.data} words={words} />
    </Stack>
  );
}

/** The tables that are a plugin's own, and those of the host that it may read. */
export function Tables({ plugin }: { plugin: string }) {
  const t = useT();
  const { data, error, reload } = useApi<Tables>(`/marketplace/tables/${plugin}`);
  useEvents("registry", reload);
  if (error && !data) return <Failure error={error} retry={reload} />;
  if (!data) return <Skeleton height={200} radius={12} />;
  if (!data.tables.length && !data.reads.length) return <Empty icon="CircleStackIcon" title={t("It has no tables")} />;
  return (
    <div className="hb-table"><Table>
      <Table.Thead><Table.Tr><Table.Th>{t("Table")}</Table.Th><Table.Th>{t("It may")}</Table.Th><Table.Th>{t("Columns")}</Table.Th><Table.Th ta="right">{t("Rows")}</Table.Th><Table.Th ta="right">{t("Size")}</Table.Th></Table.Tr></Table.Thead>
      <Table.Tbody>
        {data.tables.map((one) => (
          <Table.Tr key={one.name}>
            <Table.Td ff="monospace" fz="sm">{one.name}</Table.Td><Table.Td><Badge variant="light" color="teal">{t("read and write")}</Badge></Table.Td>
            <Table.Td><Text size="xs" c="dimmed" lineClamp={2}>{one.columns.join(", ")}</Text></Table.Td>
            <Table.Td ta="right" className="hb-number">{one.rows}</Table.Td><Table.Td ta="right" className="hb-number">{one.bytes === null ? "–" : size(one.bytes)}</Table.Td>
          </Table.Tr>
        ))}
        {data.reads.map((name) => <Table.Tr key={name}><Table.Td ff="monospace" fz="sm">{name}</Table.Td><Table.Td><Badge variant="light" color="gray">{t("only read")}</Badge></Table.Td><Table.Td><Text size="xs" c="dimmed">{t("the host's")}</Text></Table.Td><Table.Td ta="right">–</Table.Td><Table.Td ta="right">–</Table.Td></Table.Tr>)}
      </Table.Tbody>
    </Table></div>
  );
}
