import { Anchor, Badge, Button, Card, Grid, Group, List, Skeleton, Stack, Tabs, Text, Title } from "@mantine/core";
import { type ReactNode, useState } from "react";
import { Link, useParams } from "react-router";
import { useApi } from "../../sdk/data";
import { useEvents } from "../../sdk/stream";
import { useT } from "../../sdk/words";
import { Failure, RelativeTime } from "../../ui/pieces";
import type { Change } from "./change";
import { ChangeDialog } from "./ChangeDialog";
import { Readme } from "./Readme";
import { Tile } from "./Tile";
import { Publisher, signature } from "./Trust";
import type { AddonDetail } from "../api/answers";
import { Screenshots } from "./Screenshots";
import { isFree, permission, price, size } from "./words";

function Facts({ facts }: { facts: [string, ReactNode][] }) {
  const known = facts.filter(([, value]) => value !== "" && value !== null && value !== undefined);
  return <dl className="hb-facts">{known.map(([name, value]) => <div key={name} style={{ display: "contents" }}><dt>{name}</dt><dd>{value}</dd></div>)}</dl>;
}

function Side({ addon }: { addon: AddonDetail }) {
  const t = useT();
  const { manifest } = addon;
  const newest = addon.packages[0];
  const latest = addon.packages.find((one) => one.version === addon.latest)?.trust;
  const differs = addon.installed && latest !== undefined && signature(latest) !== signature(addon.trust);
  const verified = addon.trust.state === "verified";
  const requires = (manifest.requires ?? []).map((one) => (typeof one === "string" ? one : one.id));
  return (
    <Stack gap="md">
      <Card withBorder padding="lg">
        <Facts facts={[
          [t("Version"), addon.latest],
          [t("Installed"), addon.installed_version ?? ""],
          [t("Publisher"), verified || addon.author ? <Publisher trust={addon.trust} author={addon.author ?? ""} /> : ""],
          [t("Author"), verified && addon.author !== addon.trust.publisher ? addon.author : ""],
          [t("Signature"), signature(addon.trust)],
          [t("Signature of {version}", { version: addon.latest }), differs ? signature(latest) : ""],
          [t("Licence"), addon.license ?? ""],
          [t("Size"), newest?.size ? size(newest.size) : ""],
          [t("Category"), addon.category ?? ""],
          [t("Needs"), requires.join(", ")],
          [t("Website"), addon.homepage ? <Anchor href={addon.homepage} target="_blank" rel="noreferrer" size="sm">{new URL(addon.homepage).host}</Anchor> : ""],
        ]} />
      </Card>
      <Card withBorder padding="lg">
        <Text fw={600} size="sm" mb={8}>{t("It may")}</Text>
        <List size="sm" spacing={4}>{(manifest.permissions ?? []).map((one) => <List.Item key={one}>{permission(one)}</List.Item>)}</List>
        {manifest.permissions?.length ? null : <Text size="sm" c="dimmed">{t("It asks for nothing.")}</Text>}
      </Card>
    </Stack>
  );
}

function Technical({ addon }: { addon: AddonDetail }) {
  const t = useT();
  const { backend, frontend, database, python, hotbay, migrations } = addon.manifest;
  const codes = (values: string[] | undefined) => (values?.length ? <Group gap={6}>{values.map((one) => <Badge key={one} variant="default" fw={500} ff="monospace">{one}</Badge>)}</Group> : "");
  return (
    <Facts facts={[
      [t("Addresses"), codes(backend?.routes)],
      [t("Pages"), codes(frontend?.routes)],
      [t("Tables"), codes(database?.tables)],
      [t("Reads"), codes(database?.reads)],
      [t("Libraries"), codes(backend?.dependencies)],
      [t("Runs"), backend?.runtime === "isolated" ? t("in a process of its own") : t("in the host's process")],
      [t("Migrations"), migrations === "exclusive" ? t("its requests wait while its tables change") : t("while it serves")],
      ["Python", python ?? ""],
      ["Hotbay", hotbay ?? ""],
    ]} />
  );
}

function Versions({ addon, change }: { addon: AddonDetail; change: (change: Change) => void }) {
  const t = useT();
  const kept = new Set(addon.history.map((one) => one.version));
  return (
    <Stack gap="lg">
      {addon.packages.map((one) => {
        const current = one.version === addon.installed_version;
        const about = { plugin: addon.id, name: addon.name, version: one.version, paid: !isFree(addon.price) };
        return (
          <Group key={one.version} justify="space-between">
            <div>
              <Group gap={8}><Text fw={600}>{one.version}</Text>{current ? <Badge color="teal" variant="light">{t("Installed")}</Badge> : null}</Group>
              <Text size="xs" c="dimmed">{[one.size ? size(one.size) : "", signature(one.trust)].filter(Boolean).join(" · ")}</Text>
            </div>
            {current ? null : addon.installed ? (
              <Button size="xs" variant="default" onClick={() => change({ ...about, kind: kept.has(one.version) ? "rollback" : "upgrade" })}>{kept.has(one.version) ? t("Roll back") : t("Upgrade")}</Button>
            ) : <Button size="xs" variant="default" onClick={() => change({ ...about, kind: "install" })}>{t("Install")}</Button>}
          </Group>
        );
      })}
      {addon.manifest.changelog ? <div><Text fw={600} size="sm" mb={4}>{t("Changes")}</Text>{addon.manifest.changelog.split("\n").map((line) => <Text key={line} size="sm">{line}</Text>)}</div> : null}
      {addon.history.length ? <div><Text fw={600} size="sm" mb={4}>{t("Here before")}</Text>{addon.history.map((one) => <Text key={one.revision} size="sm">{one.version} · <RelativeTime at={one.at} /></Text>)}</div> : null}
    </Stack>
  );
}

function Actions({ addon, change }: { addon: AddonDetail; change: (change: Change) => void }) {
  const t = useT();
  const about = { plugin: addon.id, name: addon.name, paid: !isFree(addon.price) };
  if (!addon.installed) return <Button onClick={() => change({ ...about, kind: "install" })}>{isFree(addon.price) ? t("Install Free") : t("Install · {price}", { price: price(addon.price) })}</Button>;
  return (
    <Group gap="xs">
      {addon.update_available ? <Button onClick={() => change({ ...about, kind: "upgrade" })}>{t("Upgrade to {version}", { version: addon.latest })}</Button> : null}
      {addon.enabled ? <Button variant="default" onClick={() => change({ ...about, kind: "deactivate" })}>{t("Deactivate")}</Button> : <Button onClick={() => change({ ...about, kind: "activate" })}>{t("Activate")}</Button>}
      <Button component={Link} to={`/plugins/${addon.id}`} variant="default">{t("Manage")}</Button>
      <Button variant="default" onClick={() => change({ ...about, kind: "uninstall" })}>{t("Uninstall")}</Button>
    </Group>
  );
}

/** One plugin of the marketplace, with all that is known of it before it is installed. The dialog of a change stays when that
 *  removed what no source offers. */
export default function Addon() {
  const { id = "" } = useParams();
  const { data, error, reload } = useApi<AddonDetail>(`/marketplace/addons/${id}`);
  const [change, setChange] = useState<Change | null>(null);
  useEvents("registry", reload);
  const isGone = (error as { status?: number } | undefined)?.status === 404;
  const addon = isGone ? undefined : data;
  return (
    <>
      {addon ? <Page key={id} addon={addon} change={setChange} /> : error ? <Failure error={error} retry={reload} /> : <Stack><Skeleton height={72} /><Skeleton height={300} /></Stack>}
      {change ? <ChangeDialog change={change} onClose={() => { setChange(null); reload(); }} /> : null}
    </>
  );
}

function Page({ addon, change }: { addon: AddonDetail; change: (change: Change) => void }) {
  const t = useT();
  return (
    <>
      <Anchor component={Link} to="/marketplace" size="sm" c="dimmed">← {t("Marketplace")}</Anchor>
      <Group mt="md" mb="lg" gap="lg" align="flex-start">
        <Tile id={addon.id} icon={addon.icon} category={addon.category} size={72} />
        <div style={{ flex: 1, minWidth: 240 }}>
          <Title order={1} fz={26}>{addon.name}</Title>
          <Text c="dimmed" mt={4} maw={640}>{addon.description}</Text>
          <Group gap={8} mt={10}>
            <Badge variant="light" color={isFree(addon.price) ? "gray" : "brand"}>{price(addon.price)}</Badge>
            {addon.installed ? <Badge variant="light" color={addon.enabled ? "teal" : "gray"}>{addon.enabled ? t("Installed") : t("Inactive")}</Badge> : null}
          </Group>
        </div>
        <Actions addon={addon} change={change} />
      </Group>
      <Grid gap="xl">
        <Grid.Col span={{ base: 12, md: 8 }}>
          <Tabs defaultValue="about" keepMounted={false}>
            <Tabs.List mb="md">
              <Tabs.Tab value="about">{t("About")}</Tabs.Tab>
              <Tabs.Tab value="versions">{t("Versions")}</Tabs.Tab>
              <Tabs.Tab value="technical">{t("Technical")}</Tabs.Tab>
            </Tabs.List>
            <Tabs.Panel value="about">
              {addon.features?.length ? <List mb="md" spacing={4}>{addon.features.map((one) => <List.Item key={one}>{one}</List.Item>)}</List> : null}
              <Screenshots id={addon.id} names={addon.screenshots} />
              {addon.readme ? <Readme text={addon.readme} /> : <Text c="dimmed">{t("The package has no README.")}</Text>}
            </Tabs.Panel>
            <Tabs.Panel value="versions"><Versions addon={addon} change={change} /></Tabs.Panel>
            <Tabs.Panel value="technical"><Technical addon={addon} /></Tabs.Panel>
          </Tabs>
        </Grid.Col>
        <Grid.Col span={{ base: 12, md: 4 }}><Side addon={addon} /></Grid.Col>
      </Grid>
    </>
  );
}
