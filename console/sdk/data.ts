import { useCallback, useEffect, useState } from "react";
import { api, type Options } from "./api";

export interface Loaded<T> {
  data: T | undefined;
  error: unknown;
  /** An answer is awaited: the first, or another one. */
  loading: boolean;
  /** Ask again; what is shown stays until the answer is there. */
  reload: () => void;
}

/** GET a path of the API (`null`: nothing yet) and again when it changes. With another query what is shown stays until the
 *  answer is there; another path is about something else, and begins with nothing. */
export function useApi<T>(path: string | null, query?: Options["query"]): Loaded<T> {
  const [state, setState] = useState<{ path?: string | null; data?: T; error?: unknown; of?: string }>({});
  const [count, setCount] = useState(0);
  const key = path === null ? "" : api.url(path, query);
  const asked = `${count} ${key}`;
  useEffect(() => {
    if (!key) return undefined;
    const stop = new AbortController();
    api.get<T>(path ?? "", { query, signal: stop.signal }).then(
      (data) => setState({ path, data, of: asked }),
      (error: unknown) => !stop.signal.aborted && setState((old) => ({ ...(old.path === path ? old : {}), path, error, of: asked })),
    );
    return () => stop.abort();
    // The key has the path and the query in it.
  }, [key, count]);
  const reload = useCallback(() => setCount((old) => old + 1), []);
  const own = state.path === path ? state : {};
  return { data: own.data, error: own.error, loading: !!key && state.of !== asked, reload };
}

export interface Settings {
  addon_id: string;
  schema: Record<string, unknown> | null;
  values: Record<string, unknown>;
  revision: number;
}

/** A plugin's settings, for administrators: values (secrets are masked), schema, and `save` for changes. */
export function useSettings(plugin: string) {
  const path = `/marketplace/settings/${plugin}`;
  const loaded = useApi<Settings>(path);
  const save = useCallback(
    async (changes: Record<string, unknown>) => {
      const answer = await api.patch<Settings>(path, changes);
      loaded.reload();
      return answer;
    },
    [path, loaded.reload],
  );
  return { ...loaded, save };
}
