// What earlier versions of plugins take up in this page: a browser never unloads a module.
import { useEffect, useState } from "react";
import { onRegistry, registry } from "./registry";

const LIMIT = 50 * 1024 * 1024;
// Beside its text a module has its compiled code and what it made: about as much again.
const FACTOR = 2;
const sizes = new Map<string, number>();

/** Begin to note what the plugins' files weigh; once a page. */
export function weigh() {
  const note = (list: PerformanceObserverEntryList) => {
    for (const entry of list.getEntries() as PerformanceResourceTiming[]) {
      if (entry.name.includes("/hotbay/assets/")) sizes.set(entry.name, Math.max(entry.decodedBodySize, sizes.get(entry.name) ?? 0));
    }
  };
  new PerformanceObserver(note).observe({ type: "resource", buffered: true });
}

/** About how many bytes are taken up by files of no version that is active now. */
function left(): number {
  const bases = registry().plugins.map((plugin) => new URL(plugin.base, location.origin).href);
  const old = [...sizes].filter(([file]) => !bases.some((base) => file.startsWith(base)));
  return FACTOR * old.reduce((sum, [, size]) => sum + size, 0);
}

/** The same once it is worth loading the page anew, else 0. */
export function useBallast(): number {
  const [bytes, setBytes] = useState(0);
  useEffect(() => onRegistry(() => setBytes(left())), []);
  return bytes > LIMIT ? bytes : 0;
}
