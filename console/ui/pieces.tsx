import { Button, Card, Center, Group, Stack, Text, ThemeIcon, Title, Tooltip } from "@mantine/core";
import type { ReactNode } from "react";
import { language, t, told, useT } from "../sdk/words";
import { Icon } from "./Icon";

/** A page's title with what it is about, and its actions on the right. */
export function PageHeader({ title, about, children }: { title: ReactNode; about?: ReactNode; children?: ReactNode }) {
  return (
    <Group justify="space-between" align="flex-end" mb="lg" gap="md" className="hb-page-header">
      <div>
        <Title order={1} fz={26} fw={650} lts="-0.015em">{title}</Title>
        {about ? <Text c="dimmed" size="sm" mt={4} maw={680}>{about}</Text> : null}
      </div>
      {children ? <Group gap="xs">{children}</Group> : null}
    </Group>
  );
}

/** What stands where nothing is yet. */
export function Empty({ icon, title, children, action }: { icon?: string; title: ReactNode; children?: ReactNode; action?: ReactNode }) {
  return (
    <Center py={56} px="md">
      <Stack align="center" gap="xs" maw={440}>
        <ThemeIcon size={56} radius="xl" variant="light" color="gray"><Icon name={icon ?? "InboxIcon"} size={28} /></ThemeIcon>
        <Text fw={600} mt="xs" ta="center">{title}</Text>
        {children ? <Text c="dimmed" size="sm" ta="center" component="div">{children}</Text> : null}
        {action ? <div style={{ marginTop: 12 }}>{action}</div> : null}
      </Stack>
    </Center>
  );
}

/** What went wrong, how to mend it, and a way to try again. */
export function Failure({ error, retry }: { error: unknown; retry?: () => void }) {
  const tr = useT();
  const failed = error as { message?: string; mend?: string; problems?: readonly { field: string; rule: string }[] } | undefined;
  return (
    <Card withBorder role="alert" padding="lg" radius="md" style={{ borderLeft: "3px solid var(--mantine-color-red-6)" }}>
      <Text fw={600}>{failed?.message ? told(failed.message) : tr("Something went wrong")}</Text>
      {failed?.problems?.map((one) => <Text key={one.field + one.rule} size="sm">{one.field}: {told(one.rule)}</Text>)}
      {failed?.mend ? <Text size="sm" c="dimmed" mt={4}>{told(failed.mend)}</Text> : null}
      {retry ? <Button mt="md" size="xs" variant="default" onClick={retry}>{tr("Try again")}</Button> : null}
    </Card>
  );
}

/** One number with its name. */
export function StatCard({ label, value, about, icon }: { label: ReactNode; value: ReactNode; about?: ReactNode; icon?: string }) {
  return (
    <Card withBorder padding="lg">
      <Group justify="space-between" wrap="nowrap" gap="xs" mih={icon ? 32 : undefined}>
        <Text size="sm" c="dimmed">{label}</Text>
        {icon ? <ThemeIcon variant="light" size={32} radius="md"><Icon name={icon} size={17} /></ThemeIcon> : null}
      </Group>
      <Text fz={typeof value === "string" && value.length > 12 ? 16 : "clamp(19px, 4.6vw, 24px)"} fw={650} lh="30px" mt={4} className="hb-number" component="div" style={{ overflowWrap: "anywhere" }}>{value}</Text>
      {about ? <Text size="xs" c="dimmed" mt={4}>{about}</Text> : null}
    </Card>
  );
}

/** Cents as money. */
export function Money({ cents, currency = "EUR" }: { cents: number; currency?: string }) {
  return <span className="hb-number">{new Intl.NumberFormat(language(), { style: "currency", currency }).format(cents / 100)}</span>;
}

const STEPS: [number, Intl.RelativeTimeFormatUnit][] = [[60, "second"], [3600, "minute"], [86400, "hour"], [30 * 86400, "day"]];

function ago(seconds: number): string {
  const words = new Intl.RelativeTimeFormat(language(), { numeric: "auto" });
  if (Math.abs(seconds) < 10) return t("just now");
  let size = 1;
  for (const [limit, unit] of STEPS) {
    if (Math.abs(seconds) < limit) return words.format(-Math.round(seconds / size), unit);
    size = limit;
  }
  return words.format(-Math.round(seconds / (30 * 86400)), "month");
}

/** A moment as "5 minutes ago", with the exact time in a tooltip. `at`: ISO text, or seconds since 1970. */
export function RelativeTime({ at }: { at: string | number | null | undefined }) {
  useT();
  if (at === null || at === undefined || at === "") return <>–</>;
  const date = new Date(typeof at === "number" ? at * 1000 : at);
  return (
    <Tooltip label={date.toLocaleString(language())} withArrow openDelay={300}>
      <time dateTime={date.toISOString()}>{ago((Date.now() - date.getTime()) / 1000)}</time>
    </Tooltip>
  );
}
