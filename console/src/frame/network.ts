// A frame has no network. What plugins know of it, `fetch` and `EventSource`, is asked of the console instead.
import type { FromFrame, ToFrame } from "../../sdk/frame/messages";

type Say = (message: FromFrame, transfer?: Transferable[]) => void;
type Heard = Extract<ToFrame, { kind: "answer" | "chunk" | "end" }>;

interface Pending {
  resolve: (answer: Response) => void;
  reject: (error: unknown) => void;
  body: ReadableStreamDefaultController<Uint8Array> | null;
}

const pending = new Map<number, Pending>();
const BODILESS = [101, 103, 204, 205, 304];
let say: Say = () => undefined;
let count = 0;

/** What the console answers. */
export function heardOf(message: Heard) {
  const one = pending.get(message.id);
  if (!one) return;
  if (message.kind === "answer") one.resolve(answer(one, message));
  else if (message.kind === "chunk") one.body?.enqueue(message.data);
  else {
    pending.delete(message.id);
    if (message.broken) one.reject(new TypeError(message.broken));
    // A reader that stopped has closed it already.
    try {
      if (message.broken) one.body?.error(new TypeError(message.broken));
      else one.body?.close();
    } catch {
      one.body = null;
    }
  }
}

function answer(one: Pending, { id, status, headers }: Extract<Heard, { kind: "answer" }>): Response {
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      one.body = controller;
    },
    cancel: () => {
      one.body = null;
      say({ kind: "abort", id });
    },
  });
  return new Response(BODILESS.includes(status) ? null : body, { status, headers });
}

async function ask(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  const request = new Request(input, init);
  const body = request.body === null && !init?.body ? null : await request.arrayBuffer();
  request.signal.throwIfAborted();
  count += 1;
  const id = count;
  return new Promise((resolve, reject) => {
    pending.set(id, { resolve, reject, body: null });
    request.signal.addEventListener("abort", () => {
      const one = pending.get(id);
      pending.delete(id);
      say({ kind: "abort", id });
      reject(request.signal.reason);
      one?.body?.error(request.signal.reason);
    });
    say({ kind: "fetch", id, method: request.method, address: request.url, headers: [...request.headers], body }, body ? [body] : []);
  });
}

const RETRY_MS = 3000;
type Handler = ((event: never) => unknown) | null;

/** Server-sent events, read from an answer that the console passes on. */
class Events extends EventTarget {
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  static readonly CLOSED = 2;
  readonly CONNECTING = 0;
  readonly OPEN = 1;
  readonly CLOSED = 2;
  readonly withCredentials = false;
  readonly url: string;
  readyState: 0 | 1 | 2 = 0;
  onopen: Handler = null;
  onmessage: Handler = null;
  onerror: Handler = null;
  #stop = new AbortController();
  #last = "";
  #wait = RETRY_MS;

  constructor(url: string | URL) {
    super();
    this.url = new URL(url, location.href).href;
    void this.#run();
  }

  close() {
    this.readyState = 2;
    this.#stop.abort();
  }

  async #run() {
    while (this.readyState !== 2) {
      try {
        await this.#listen();
      } catch {
        // Broken off: told below, and tried again.
      }
      if (this.#stop.signal.aborted) return;
      this.#emit(new Event("error"), this.onerror);
      await new Promise((go) => setTimeout(go, this.#wait));
    }
  }

  async #listen() {
    this.readyState = 0;
    const headers: Record<string, string> = { Accept: "text/event-stream", ...(this.#last ? { "Last-Event-ID": this.#last } : {}) };
    const found = await ask(this.url, { headers, signal: this.#stop.signal });
    if (!found.ok || !found.body || !found.headers.get("content-type")?.startsWith("text/event-stream")) return this.#giveUp();
    this.readyState = 1;
    this.#emit(new Event("open"), this.onopen);
    let rest = "";
    const reader = found.body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      const blocks = (rest + piece.value).replace(/\r\n?/g, "\n").split("\n\n");
      rest = blocks.pop() ?? "";
      for (const block of blocks) this.#read(block);
    }
    this.readyState = 0;
  }

  #giveUp() {
    this.readyState = 2;
  }

  #read(block: string) {
    let name = "message";
    const data: string[] = [];
    for (const line of block.split("\n")) {
      const [, field = "", value = ""] = /^([^:]*):? ?(.*)$/.exec(line) ?? [];
      if (field === "event") name = value;
      else if (field === "data") data.push(value);
      else if (field === "id") this.#last = value;
      else if (field === "retry" && /^\d+$/.test(value)) this.#wait = Number(value);
    }
    if (data.length) this.#emit(new MessageEvent(name, { data: data.join("\n"), lastEventId: this.#last }), name === "message" ? this.onmessage : null);
  }

  #emit(event: Event, handler: Handler) {
    this.dispatchEvent(event);
    handler?.call(this, event as never);
  }
}

/** From now on `fetch` and `EventSource` go through the console. */
export function connect(how: Say) {
  say = how;
  Object.assign(globalThis, { fetch: ask, EventSource: Events });
  // Not governed by the policy of the page, and nothing that a plugin's page needs.
  for (const name of ["RTCPeerConnection", "webkitRTCPeerConnection", "WebTransport"]) Reflect.deleteProperty(globalThis, name);
}
