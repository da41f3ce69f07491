// Requests of frames, made by the console with the viewer's session: few at a time, to a plugin's own routes only.
import type { PluginEntry, Where } from "../types";
import type { FromFrame, ToFrame } from "./messages";
import { allowedAddress, allowedHeaders, toldHeaders } from "./rules";

type Asked = Extract<FromFrame, { kind: "fetch" }>;

// A browser has six connections to a server of HTTP/1.1, and the console wants some for itself.
const AT_ONCE = 3;
const WAITING = 100;
const BODY = 10 * 1024 * 1024;
const queues = new Map<string, { running: number; waiting: (() => void)[] }>();

/** Wait for a turn of this plugin; answers how to give it back. Null: too many wait. */
async function turn(plugin: string): Promise<(() => void) | null> {
  const queue = queues.get(plugin) ?? { running: 0, waiting: [] };
  queues.set(plugin, queue);
  if (queue.waiting.length >= WAITING) return null;
  if (queue.running >= AT_ONCE) await new Promise<void>((go) => queue.waiting.push(go));
  else queue.running += 1;
  return () => {
    const next = queue.waiting.shift();
    if (next) next();
    else queue.running -= 1;
  };
}

function refusal(status: number, code: string, detail: string, mend: string): Response {
  const headers = { "content-type": "application/problem+json" };
  return new Response(JSON.stringify({ status, code, detail, mend }), { status, headers });
}

/** The requests of one frame. */
export class Requests {
  private stops = new Map<number, AbortController>();

  constructor(private plugin: PluginEntry, private where: Where, private say: (message: ToFrame) => void) {}

  /** Ask the server, and pass its answer on piece by piece. */
  async ask({ id, method, address, headers, body }: Asked) {
    if (!Number.isSafeInteger(id) || this.stops.has(id)) return;
    const stop = new AbortController();
    this.stops.set(id, stop);
    try {
      const answer = await this.answered(method, address, headers, body, stop.signal);
      this.say({ kind: "answer", id, status: answer.status, headers: toldHeaders(answer.headers) });
      const reader = answer.body?.getReader();
      for (let piece = await reader?.read(); piece && !piece.done; piece = await reader?.read()) this.say({ kind: "chunk", id, data: piece.value });
      this.say({ kind: "end", id, broken: "" });
    } catch (error) {
      this.say({ kind: "end", id, broken: String(error) });
    } finally {
      stop.abort();
      this.stops.delete(id);
    }
  }

  private async answered(method: string, address: string, headers: unknown, body: unknown, signal: AbortSignal): Promise<Response> {
    const url = allowedAddress(this.plugin, this.where, method, address);
    if (url === null) return refusal(403, "not-in-frame", "a plugin in a frame may ask its own routes only", "ask a route of the plugin's backend, or have the host trust it");
    const payload = body instanceof ArrayBuffer && method !== "GET" && method !== "HEAD" ? body : null;
    if ((payload?.byteLength ?? 0) > BODY) return refusal(413, "too-large", "a plugin in a frame may send 10 MB at most", "send less at once");
    const done = await turn(this.plugin.id);
    if (done === null) return refusal(429, "too-many", "this plugin asks too much at once", "wait for answers before asking more");
    signal.addEventListener("abort", done, { once: true });
    if (signal.aborted) done();
    // A redirect could lead to routes of others.
    const found = await fetch(url, { method, headers: allowedHeaders(headers), body: payload, signal, credentials: "same-origin", redirect: "manual" });
    return found.type === "opaqueredirect" ? refusal(403, "redirected", "a plugin in a frame is not led to other addresses", "ask the address itself") : found;
  }

  stop(id: number) {
    this.stops.get(id)?.abort();
  }

  /** The frame is gone. */
  stopAll() {
    for (const stop of this.stops.values()) stop.abort();
  }
}
