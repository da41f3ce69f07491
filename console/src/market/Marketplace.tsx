import { Badge, Button, Chip, Group, Select, Skeleton, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useEffect, useState } from "react";
import { Link } from "react-router";
import { useApi } from "../../sdk/data";
import { useEvents } from "../../sdk/stream";
import { useT } from "../../sdk/words";
import { Icon } from "../../ui/Icon";
import { Empty, Failure, PageHeader } from "../../ui/pieces";
import type { Change } from "./change";
import { ChangeDialog } from "./ChangeDialog";
import { SourceProblem } from "./SourceProblem";
import { Tile } from "./Tile";
import type { AddonLine, Addons } from "../api/answers";
import { Maker } from "./Trust";
import { Upload } from "./Upload";
import { isFree, price } from "./words";

function State({ addon }: { addon: AddonLine }) {
  const t = useT();
  if (addon.problem) return <Badge color="red" variant="light">{t("Problem")}</Badge>;
  if (addon.update_available) return <Badge color="yellow" variant="light">{t("Update {version}", { version: addon.latest })}</Badge>;
  if (addon.enabled) return <Badge color="teal" variant="light">{t("Installed")}</Badge>;
  if (addon.installed) return <Badge color="gray" variant="light">{t("Inactive")}</Badge>;
  return <Badge color={isFree(addon.price) ? "gray" : "brand"} variant="light">{price(addon.price)}</Badge>;
}

function Actions({ addon, change }: { addon: AddonLine; change: (change: Change) => void }) {
  const t = useT();
  const about = { plugin: addon.id, name: addon.name, paid: !isFree(addon.price) };
  if (!addon.installed) {
    const label = isFree(addon.price) ? t("Install Free") : t("Install · {price}", { price: price(addon.price) });
    return <Button size="xs" onClick={() => change({ ...about, kind: "install" })}>{label}</Button>;
  }
  return (
    <Group gap={8}>
      {addon.update_available ? <Button size="xs" onClick={() => change({ ...about, kind: "upgrade" })}>{t("Upgrade")}</Button> : null}
      {addon.enabled ? null : <Button size="xs" onClick={() => change({ ...about, kind: "activate" })}>{t("Activate")}</Button>}
      <Button size="xs" variant="default" onClick={() => change({ ...about, kind: "uninstall" })}>{t("Uninstall")}</Button>
    </Group>
  );
}

function Card({ addon, change }: { addon: AddonLine; change: (change: Change) => void }) {
  return (
    <article className="hb-addon" aria-label={addon.name}>
      <Group wrap="nowrap" gap={14} align="flex-start">
        <Tile id={addon.id} icon={addon.icon} category={addon.category} />
        <div style={{ minWidth: 0, flex: 1 }}>
          <Group gap={8} justify="space-between" wrap="nowrap" align="flex-start">
            <Link className="hb-addon-title" to={`/marketplace/${addon.id}`}>{addon.name}</Link>
            <State addon={addon} />
          </Group>
          <Text size="xs" c="dimmed" mt={2} component="div"><Maker trust={addon.trust} author={addon.author} />{addon.installed_version ?? addon.latest}</Text>
        </div>
      </Group>
      <Text size="sm" c="dimmed" className="hb-addon-text">{addon.description}</Text>
      <Group justify="space-between" mt="auto" className="hb-addon-actions">
        <Text size="xs" c="dimmed" tt="capitalize">{addon.category}</Text>
        <Actions addon={addon} change={change} />
      </Group>
    </article>
  );
}

/** What there is to install, as cards. */
export default function Marketplace() {
  const t = useT();
  const [words, setWords] = useState("");
  const [search] = useDebouncedValue(words, 200);
  const [category, setCategory] = useState<string | null>(null);
  const [runtime, setRuntime] = useState<string | null>(null);
  const [filter, setFilter] = useState("all");
  const [change, setChange] = useState<Change | null>(null);
  const { data, error, reload } = useApi<Addons>("/marketplace/addons", { search, category, runtime, limit: 500 });
  useEvents("registry", reload);
  useEffect(() => {
    window.addEventListener("focus", reload);
    return () => window.removeEventListener("focus", reload);
  }, [reload]);
  const fits = (addon: AddonLine) =>
    filter === "installed" ? addon.installed : filter === "updates" ? addon.update_available : filter === "free" ? isFree(addon.price) : filter === "paid" ? !isFree(addon.price) : true;
  const shown = data?.addons.filter(fits);
  return (
    <>
      <PageHeader title={t("Marketplace")} about={t("Plugins for this site. Installing, upgrading and removing happens while it serves; nobody is disturbed.")}>
        <Upload onFile={(file, signature) => setChange({ kind: "upload", plugin: "", name: file.name, file, signature })} />
      </PageHeader>
      <Group mb="lg" gap="sm">
        <TextInput value={words} onChange={(event) => setWords(event.currentTarget.value)} placeholder={t("Search plugins")} aria-label={t("Search plugins")}
          leftSection={<Icon name="MagnifyingGlassIcon" size={16} />} w={{ base: "100%", xs: 280 }} />
        <Select data={data?.categories ?? []} value={category} onChange={setCategory} placeholder={t("All categories")} aria-label={t("Category")} clearable w={190} />
        <Select data={[{ value: "inprocess", label: t("in the host's process") }, { value: "isolated", label: t("in a process of its own") }]} value={runtime} onChange={setRuntime} placeholder={t("Runs anywhere")} aria-label={t("Runs")} clearable w={190} />
        <Chip.Group value={filter} onChange={(value) => setFilter(value as string)}>
          <Group gap={6}>
            {[["all", "All"], ["installed", "Installed"], ["updates", "Updates"], ["free", "Free"], ["paid", "Paid"]].map(([value, label]) => <Chip key={value} value={value ?? ""} size="sm" variant="light">{t(label ?? "")}</Chip>)}
          </Group>
        </Chip.Group>
      </Group>
      {data?.problems.map((problem) => <SourceProblem key={JSON.stringify(problem)} problem={problem} mb="md" />)}
      {error && !data ? <Failure error={error} retry={reload} /> : null}
      <div className="hb-grid">
        {shown?.map((addon) => <Card key={addon.id} addon={addon} change={setChange} />)}
        {!data && !error ? [1, 2, 3].map((one) => <Skeleton key={one} height={172} radius={14} />) : null}
      </div>
      {shown && !shown.length ? <Empty icon="PuzzlePieceIcon" title={t("No plugin fits")}>{t("Change the search or the filters, or drop a package here.")}</Empty> : null}
      {change ? <ChangeDialog change={change} onClose={() => { setChange(null); reload(); }} /> : null}
    </>
  );
}
