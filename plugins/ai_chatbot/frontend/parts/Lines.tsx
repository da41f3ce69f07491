import { Text } from '@hotbay/ui';
import { useEffect, useRef } from 'react';
import type { Message } from '../lib/types';

interface Props {
  messages: Message[];
  /** Whose messages stand on the right. */
  mine: Message['sender'];
  /** What is being said just now. */
  typing?: string | null;
  label: string;
}

/** A conversation, the newest at the end and in sight. */
export function Lines({ messages, mine, typing = null, label }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const last = messages.at(-1)?.id;
  useEffect(() => {
    place.current?.scrollTo({ top: place.current.scrollHeight });
  }, [last, typing]);
  return (
    <div className="chat-body" ref={place} role="log" aria-label={label} aria-live="polite" tabIndex={0}>
      {messages.map((message) => (
        <div key={message.id} className="chat-line" data-sender={message.sender} data-mine={message.sender === mine}>
          {message.author && message.sender !== mine && message.sender !== 'system' ? (
            <Text size="xs" c="dimmed">{message.author}</Text>
          ) : null}
          <div className="chat-bubble">{message.text}</div>
        </div>
      ))}
      {typing === null ? null : (
        <div className="chat-line" data-sender="bot" data-mine={false} aria-hidden="true">
          <div className="chat-bubble">{typing || '…'}</div>
        </div>
      )}
    </div>
  );
}
