import { Card, SimpleGrid, Skeleton, Text } from "@mantine/core";
import { useEffect } from "react";
import { useApi } from "../../sdk/data";
import { useT } from "../../sdk/words";
import type { Activity as Fared } from "../api/answers";

const LOOK_MS = 5000;
const WIDTH = 240;
const HEIGHT = 44;

/** A line through the values; what is unknown leaves a gap. */
function path(values: (number | null)[], most: number): string {
  let pen = "M";
  const parts = values.map((value, index) => {
    if (value === null) {
      pen = "M";
      return "";
    }
    const point = `${pen}${((index / Math.max(1, values.length - 1)) * WIDTH).toFixed(1)} ${(HEIGHT - 2 - (value / most) * (HEIGHT - 6)).toFixed(1)}`;
    pen = "L";
    return point;
  });
  return parts.join("");
}

function Line({ label, value, about, values, color }: { label: string; value: string; about: string; values: (number | null)[]; color: string }) {
  const most = Math.max(...values.map((one) => one ?? 0), 0) || 1;
  // A single point between gaps would be a line without length: round ends make it a dot.
  return (
    <Card withBorder padding="lg">
      <Text size="sm" c="dimmed">{label}</Text>
      <Text fz={24} fw={650} lh={1.25} mt={4} className="hb-number">{value}</Text>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} width="100%" height={HEIGHT} preserveAspectRatio="none" role="img" aria-label={`${label}: ${about}`}>
        <path d={path(values, most)} fill="none" stroke={color} strokeWidth={1.8} strokeLinecap="round" strokeLinejoin="round" vectorEffect="non-scaling-stroke" />
      </svg>
      <Text size="xs" c="dimmed">{about}</Text>
    </Card>
  );
}

const ms = (seconds: number | null) => (seconds === null ? "–" : `${(seconds * 1000).toFixed(seconds < 0.01 ? 1 : 0)} ms`);

/** Requests, errors and latency of the last minutes, all workers together. */
export function Activity({ plugin }: { plugin: string }) {
  const t = useT();
  const { data, reload } = useApi<Fared>(`/marketplace/activity/${plugin}`);
  useEffect(() => {
    const timer = setInterval(() => document.visibilityState === "visible" && reload(), LOOK_MS);
    return () => clearInterval(timer);
  }, [reload]);
  if (!data) return <SimpleGrid cols={{ base: 1, xs: 3 }}>{[1, 2, 3].map((one) => <Skeleton key={one} height={148} radius={12} />)}</SimpleGrid>;
  const { total, spans } = data;
  const about = t("last {count} minutes", { count: Math.round((data.seconds * spans.length) / 60) });
  return (
    <SimpleGrid cols={{ base: 1, xs: 3 }}>
      <Line label={t("Requests")} value={String(total.requests)} about={about} values={spans.map((one) => one.requests)} color="var(--mantine-primary-color-filled)" />
      <Line label={t("Errors")} value={String(total.failed)} about={about} values={spans.map((one) => one.failed)} color="var(--mantine-color-red-6)" />
      <Line label={t("Latency, 99 %")} value={ms(total.p99)} about={total.p50 === null ? about : t("half within {time}", { time: ms(total.p50) })} values={spans.map((one) => one.p99)} color="var(--mantine-color-teal-6)" />
    </SimpleGrid>
  );
}
