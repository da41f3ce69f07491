/** The JSON of the chat's API, as far as the browser reads it. */
export type Status = 'bot' | 'waiting' | 'human' | 'closed';

export interface Message {
  id: number;
  session_id: string;
  sender: 'guest' | 'bot' | 'human' | 'system';
  author: string;
  text: string;
  details: { offer_human?: boolean };
  created_at: string;
}

export interface Session {
  id: string;
  name: string;
  email: string;
  phone: string;
  status: Status;
  created_at: string;
  updated_at: string;
  unread: number;
}

export interface StaffSession extends Session {
  assigned_to: string;
  closed_at: string | null;
}

export interface Article {
  id: number;
  title: string;
  body: string;
  keywords: string;
  enabled: boolean;
}

/** Messages in order, each once: those known, and those that came. */
export function merged(known: Message[], came: Message[]): Message[] {
  const all = new Map([...known, ...came].map((message) => [message.id, message]));
  return [...all.values()].sort((a, b) => a.id - b.id);
}
