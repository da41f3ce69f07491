import { Card, Group, SimpleGrid, Skeleton, Stack, Text } from "@mantine/core";
import { useApi } from "../../sdk/data";
import { useT } from "../../sdk/words";
import { Failure, PageHeader, StatCard } from "../../ui/pieces";
import type { Addons, Status } from "../api/answers";
import { SourceProblem } from "../market/SourceProblem";
import { Publishers } from "./Publishers";

/** Where packages come from, what is wrong there, and whose are trusted. */
export default function Sources() {
  const t = useT();
  const status = useApi<Status>("/hotbay/status");
  const { data, error, reload } = useApi<Addons>("/marketplace/addons", { limit: 1 });
  if (error && !data) return <Failure error={error} retry={reload} />;
  return (
    <>
      <PageHeader title={t("Sources")} about={t("Where this site looks for plugins. Sources are set in hotbay.toml or the environment.")} />
      {!data || !status.data ? <Skeleton height={140} radius={12} /> : (
        <Stack gap="lg">
          <SimpleGrid cols={{ base: 1, xs: 3 }}>
            <StatCard label={t("Source")} value={data.source === "remote" ? t("Repository") : t("Local folder")} icon="ServerStackIcon" />
            <StatCard label={t("Plugins")} value={data.total} icon="PuzzlePieceIcon" />
            <StatCard label={t("Workers")} value={status.data.workers.length} icon="CubeIcon" />
          </SimpleGrid>
          {data.problems.map((problem) => <SourceProblem key={JSON.stringify(problem)} problem={problem} />)}
          <Publishers />
          <Card withBorder padding="lg"><Group gap="xl">{Object.entries(status.data.versions).map(([name, value]) => <Text key={name} size="sm"><Text span c="dimmed" tt="capitalize">{name}</Text> {value}</Text>)}</Group></Card>
        </Stack>
      )}
    </>
  );
}
