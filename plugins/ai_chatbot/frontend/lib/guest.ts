import { api } from '@hotbay/sdk';
import type { Message, Session, Status } from './types';

const KEY = 'ai_chatbot.chat';

/** A chat that this browser began; the token is its only key. */
export interface Ticket {
  id: string;
  token: string;
}

export function keptTicket(): Ticket | null {
  try {
    const found = JSON.parse(localStorage.getItem(KEY) ?? 'null') as Partial<Ticket> | null;
    return found?.id && found.token ? { id: found.id, token: found.token } : null;
  } catch {
    return null;
  }
}

export function keepTicket(ticket: Ticket | null) {
  try {
    if (ticket) localStorage.setItem(KEY, JSON.stringify(ticket));
    else localStorage.removeItem(KEY);
  } catch {
    // A browser that keeps nothing still has the chat until the page is left.
  }
}

export const pathOf = (ticket: Ticket, rest = '') => `/chat/sessions/${ticket.id}${rest}`;
const key = (ticket: Ticket) => ({ query: { token: ticket.token } });

export const about = () => api.get<{ bot_name: string; greeting: string }>('/chat/bot');

export async function begin(guest: { name: string; email: string; phone: string }) {
  const made = await api.post<{ session: Session; token: string; messages: Message[] }>('/chat/sessions', guest);
  return { ...made, ticket: { id: made.session.id, token: made.token } };
}

export const show = (ticket: Ticket) => api.get<Session>(pathOf(ticket), key(ticket));
export const messages = (ticket: Ticket, after = 0) =>
  api.get<Message[]>(pathOf(ticket, '/messages'), { query: { token: ticket.token, after } });
export const handOver = (ticket: Ticket) => api.post<Session>(pathOf(ticket, '/hand-over'), {}, key(ticket));
export const close = (ticket: Ticket) => api.post<Session>(pathOf(ticket, '/close'), {}, key(ticket));
export const read = (ticket: Ticket, upTo: number) => api.post(pathOf(ticket, '/read'), { up_to: upTo }, key(ticket));
export const newsOf = (ticket: Ticket, after: number) =>
  new EventSource(api.url(pathOf(ticket, '/events'), { token: ticket.token, after }));

/** What happens while an answer is spoken. */
export interface Listener {
  message: (message: Message) => void;
  token: (text: string) => void;
  restart: () => void;
  done: (status: Status) => void;
}

/** Say something; the answer comes piece by piece. Raises when it is refused (closed chat, too fast) or breaks off. */
export async function say(ticket: Ticket, text: string, on: Listener): Promise<void> {
  const answer = await fetch(api.url(pathOf(ticket, '/messages/stream')), {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'X-Chat-Token': ticket.token },
    body: JSON.stringify({ text }),
  });
  if (!answer.ok || !answer.body) {
    const said = (await answer.json().catch(() => ({}))) as { detail?: unknown };
    throw new Error(typeof said.detail === 'string' ? said.detail : `The server answered ${answer.status}`);
  }
  for await (const [name, data] of eventsOf(answer.body)) {
    if (name === 'accepted' || name === 'message') on.message(data as Message);
    else if (name === 'token') on.token((data as { text: string }).text);
    else if (name === 'restart') on.restart();
    else if (name === 'done') on.done((data as { status: Status }).status);
  }
}

/** Server-sent events of an answer to a POST, which EventSource can't read. */
async function* eventsOf(body: NonNullable<Response['body']>): AsyncGenerator<[string, unknown]> {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    rest += value;
    for (let end = rest.indexOf('\n\n'); end >= 0; end = rest.indexOf('\n\n')) {
      const lines = rest.slice(0, end).split('\n');
      rest = rest.slice(end + 2);
      const field = (name: string) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      const data = field('data');
      if (data !== undefined) yield [field('event') ?? 'message', JSON.parse(data)];
    }
  }
}
