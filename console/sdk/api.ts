import { boot } from "./boot";

/** One field that is wrong. */
export interface Problem {
  field: string;
  rule: string;
  value?: string;
}

/** A refusal or failure of the server, as its problem document tells it; `status` 0: it could not be asked. */
export class ApiError extends Error {
  override name = "ApiError";
  constructor(
    message: string,
    readonly status: number,
    readonly code: string = "",
    readonly mend: string = "",
    readonly problems: readonly Problem[] = [],
    readonly body: unknown = null,
  ) {
    super(message);
  }
}

export interface Options {
  query?: Record<string, string | number | boolean | null | undefined>;
  body?: unknown;
  signal?: AbortSignal | undefined;
}

function address(path: string, query: Options["query"]): string {
  const url = new URL(path.startsWith("/") ? boot.api + path : `${boot.api}/${path}`, location.origin);
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== null && value !== "") url.searchParams.set(name, String(value));
  }
  return url.href;
}

function told(status: number, body: unknown): ApiError {
  const said = (typeof body === "object" && body !== null ? body : {}) as Record<string, unknown>;
  const detail = said.detail ?? said.title;
  const list = Array.isArray(detail) ? (detail as { loc?: unknown[]; msg?: string }[]) : [];
  const fields = list.map((one) => ({ field: (one.loc ?? []).slice(1).join("."), rule: one.msg ?? "" }));
  const problems = Array.isArray(said.problems) ? (said.problems as Problem[]) : fields;
  const words = typeof detail === "string" ? detail : fields.length ? "The request does not fit" : `The server answered ${status}`;
  return new ApiError(words, status, String(said.code ?? ""), String(said.mend ?? ""), problems, body);
}

async function request<T>(method: string, path: string, { query, body, signal }: Options = {}): Promise<T> {
  const form = body instanceof FormData;
  const headers: Record<string, string> = { Accept: "application/json" };
  if (body !== undefined && !form) headers["Content-Type"] = "application/json";
  const payload = body === undefined ? null : form ? body : JSON.stringify(body);
  let answer: Response;
  try {
    answer = await fetch(address(path, query), { method, headers, body: payload, signal: signal ?? null, credentials: "same-origin" });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError("The server can't be reached", 0, "offline", "Check the connection and try again.");
  }
  const json = answer.headers.get("content-type")?.includes("json");
  const found: unknown = answer.status === 204 ? null : json ? await answer.json() : await answer.text();
  if (!answer.ok) {
    if (answer.status === 401) window.dispatchEvent(new CustomEvent("hotbay:unauthorized"));
    throw told(answer.status, found);
  }
  return found as T;
}

/** The host's API: paths are below its prefix (`/chat/sessions` → `/api/v1/chat/sessions`). All raise ApiError. */
export const api = {
  request,
  get: <T = unknown>(path: string, options?: Options) => request<T>("GET", path, options),
  post: <T = unknown>(path: string, body?: unknown, options?: Options) => request<T>("POST", path, { ...options, body }),
  put: <T = unknown>(path: string, body?: unknown, options?: Options) => request<T>("PUT", path, { ...options, body }),
  patch: <T = unknown>(path: string, body?: unknown, options?: Options) => request<T>("PATCH", path, { ...options, body }),
  delete: <T = unknown>(path: string, options?: Options) => request<T>("DELETE", path, options),
  /** The full address of a path of the API, for EventSource, images and downloads. */
  url: (path: string, query?: Options["query"]) => address(path, query),
};
