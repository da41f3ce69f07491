import { Button, Card, Group, Skeleton, Stack, Table, Text, TextInput, Title } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { api } from "../../sdk/api";
import { useApi } from "../../sdk/data";
import { notify } from "../../sdk/doors";
import { useEvents } from "../../sdk/stream";
import { told, useT } from "../../sdk/words";
import { Failure, RelativeTime } from "../../ui/pieces";
import { short } from "../market/Trust";
import type { Publisher, Publishers as Rows } from "../api/answers";
import type { PublisherBody } from "../api/bodies";
import { SureButton } from "./SureButton";

const PATH = "/marketplace/publishers";

function Line({ publisher, reload }: { publisher: Publisher; reload: () => void }) {
  const t = useT();
  const drop = async () => {
    try {
      await api.delete(`${PATH}/${publisher.keyid}`);
      notify({ kind: "success", message: t("{name} is not trusted with this key any more", { name: publisher.name }) });
    } catch (failure) {
      notify({ kind: "error", message: told((failure as Error).message) });
    }
    reload();
  };
  return (
    <Table.Tr>
      <Table.Td><Text fw={600} size="sm">{publisher.name}</Text><Text size="xs" c="dimmed" ff="monospace" title={publisher.keyid}>{short(publisher.keyid)}</Text></Table.Td>
      <Table.Td visibleFrom="sm"><RelativeTime at={publisher.at} /></Table.Td>
      <Table.Td visibleFrom="sm">{publisher.actor}</Table.Td>
      <Table.Td ta="right"><SureButton size="compact-xs" variant="subtle" label={t("Remove {name}", { name: publisher.name })} ask={t("Really remove?")} onSure={() => void drop()}>{t("Remove")}</SureButton></Table.Td>
    </Table.Tr>
  );
}

function Add({ reload }: { reload: () => void }) {
  const t = useT();
  const [name, setName] = useState("");
  const [key, setKey] = useState("");
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState<unknown>(null);
  const add = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setRefused(null);
    try {
      await api.post(PATH, { name: name.trim(), key } satisfies PublisherBody);
      notify({ kind: "success", message: t("{name} is a trusted publisher", { name: name.trim() }) });
      setName("");
      setKey("");
    } catch (failure) {
      setRefused(failure);
    }
    setBusy(false);
    reload();
  };
  return (
    <form onSubmit={(event) => void add(event)}>
      <Stack gap="sm">
        <Group gap="sm" align="flex-end">
          <TextInput label={t("Publisher")} description={t("As they sign their packages.")} value={name} onChange={(event) => setName(event.currentTarget.value)} required maxLength={120} w={{ base: "100%", xs: 240 }} />
          <TextInput label={t("Public key")} description={t("One line, from the publisher themselves.")} placeholder="ed25519:…" value={key} onChange={(event) => setKey(event.currentTarget.value)} required autoComplete="off" spellCheck={false} style={{ flex: 1, minWidth: 240 }} />
          <Button type="submit" loading={busy} disabled={!name.trim() || !key.trim()}>{t("Trust")}</Button>
        </Group>
        {refused ? <Failure error={refused} /> : null}
      </Stack>
    </form>
  );
}

/** Whose packages count as verified on this site. */
export function Publishers() {
  const t = useT();
  const { data, error, reload } = useApi<Rows>(PATH);
  useEvents("registry", reload);
  if (error && !data) return <Failure error={error} retry={reload} />;
  if (!data) return <Skeleton height={180} radius={12} />;
  return (
    <Card withBorder padding="lg" component="section" aria-labelledby="hb-publishers">
      <Stack gap="md">
        <div>
          <Title order={2} fz={18} id="hb-publishers">{t("Trusted publishers")}</Title>
          <Text size="sm" c="dimmed" mt={4}>{data.required ? t("Only packages that they have signed can be installed here.") : t("Packages that they have signed are marked as verified.")}</Text>
        </div>
        {data.publishers.length ? (
          <div className="hb-table"><Table>
            <Table.Thead><Table.Tr><Table.Th>{t("Publisher and key")}</Table.Th><Table.Th visibleFrom="sm">{t("Trusted since")}</Table.Th><Table.Th visibleFrom="sm">{t("By")}</Table.Th><Table.Th aria-label={t("Actions")} /></Table.Tr></Table.Thead>
            <Table.Tbody>{data.publishers.map((one) => <Line key={one.keyid} publisher={one} reload={reload} />)}</Table.Tbody>
          </Table></div>
        ) : <Text c="dimmed" size="sm">{t("Nobody is trusted yet: no package is verified.")}</Text>}
        <Add reload={reload} />
      </Stack>
    </Card>
  );
}
