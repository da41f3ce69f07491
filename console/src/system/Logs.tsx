import { Switch, Text } from "@mantine/core";
import { useEffect, useRef, useState } from "react";
import { api } from "../../sdk/api";
import { useT } from "../../sdk/words";
import type { LogLines } from "../api/answers";

const LINES = 300;

/** The last lines of a plugin's log, and what comes as it comes. */
export function Logs({ plugin }: { plugin: string }) {
  const t = useT();
  const [lines, setLines] = useState<string[]>([]);
  const [live, setLive] = useState(true);
  const end = useRef<HTMLPreElement>(null);
  useEffect(() => {
    setLines([]);
    const path = `/marketplace/logs/${plugin}`;
    if (!live) {
      api.get<LogLines>(path, { query: { lines: LINES } }).then((found) => setLines(found.lines), () => setLines([]));
      return undefined;
    }
    const source = new EventSource(api.url(path, { lines: LINES, follow: true }));
    // A connection that is taken up again begins with the last lines: those here are old then.
    source.onopen = () => setLines([]);
    source.addEventListener("line", (event) => setLines((all) => [...all.slice(-LINES * 4), (event as MessageEvent<string>).data]));
    return () => source.close();
  }, [plugin, live]);
  useEffect(() => {
    end.current?.scrollTo({ top: end.current.scrollHeight });
  }, [lines]);
  return (
    <>
      <Switch mb="sm" checked={live} onChange={(event) => setLive(event.currentTarget.checked)} label={t("Follow")} />
      {lines.length ? <pre className="hb-log" ref={end} tabIndex={0} aria-label={t("Log")}>{lines.join("\n")}</pre> : <Text c="dimmed" size="sm">{t("The log is empty.")}</Text>}
    </>
  );
}
