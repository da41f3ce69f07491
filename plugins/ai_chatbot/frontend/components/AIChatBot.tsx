import '../chat.css';
import { ActionIcon, Alert, Button, CloseButton, Group, Icon, Paper, Text, Tooltip } from '@hotbay/ui';
import { useHotState, useT } from '@hotbay/sdk';
import { useCallback, useEffect, useRef, useState } from 'react';
import { about, close, handOver, keepTicket, keptTicket, messages, newsOf, read, say, show, type Ticket } from '../lib/guest';
import { merged, type Message, type Status } from '../lib/types';
import { Composer } from '../parts/Composer';
import { ContactForm } from '../parts/ContactForm';
import { AfterChat } from '../parts/extras';
import { Lines } from '../parts/Lines';

const NOTES: Partial<Record<Status, string>> = {
  waiting: 'Somebody will be with you soon.',
  human: 'You talk to a person.',
  closed: 'This chat has ended.',
};

interface Chat {
  status: Status;
  lines: Message[];
}

/** One chat of this guest: what was said, and what comes. */
function useChat(ticket: Ticket | null, gone: () => void) {
  const [chat, setChat] = useState<Chat>({ status: 'bot', lines: [] });
  const add = useCallback((came: Message[]) => setChat((old) => ({ ...old, lines: merged(old.lines, came) })), []);
  const become = useCallback((status: Status) => setChat((old) => ({ ...old, status })), []);
  useEffect(() => {
    if (!ticket) return undefined;
    let stopped = false;
    let news: EventSource | null = null;
    const look = () => show(ticket).then((session) => !stopped && become(session.status), () => undefined);
    Promise.all([show(ticket), messages(ticket)]).then(
      ([session, found]) => {
        if (stopped) return;
        setChat({ status: session.status, lines: found });
        news = newsOf(ticket, found.at(-1)?.id ?? 0);
        news.addEventListener('message', (event) => {
          const message = JSON.parse(event.data as string) as Message;
          add([message]);
          if (message.sender !== 'guest') void look();
        });
      },
      (error: { status?: number }) => (error.status === 401 || error.status === 404) && !stopped && gone(),
    );
    return () => {
      stopped = true;
      news?.close();
    };
  }, [ticket, add, become, gone]);
  return { ...chat, add, become };
}

function Conversation({ ticket, leave }: { ticket: Ticket; leave: () => void }) {
  const t = useT();
  const { status, lines, add, become } = useChat(ticket, leave);
  const [typing, setTyping] = useState<string | null>(null);
  const [failure, setFailure] = useState('');
  const last = lines.at(-1);
  useEffect(() => {
    if (last && last.sender !== 'guest') void read(ticket, last.id).catch(() => undefined);
  }, [ticket, last?.id]);
  const attempt = async (work: () => Promise<unknown>) => {
    setFailure('');
    try {
      await work();
      return true;
    } catch (error) {
      setFailure((error as Error).message);
      return false;
    } finally {
      setTyping(null);
    }
  };
  const speak = (text: string) =>
    attempt(() => {
      if (status === 'bot') setTyping('');
      return say(ticket, text, {
        message: (message) => {
          if (message.sender !== 'guest') setTyping(null);
          add([message]);
        },
        token: (piece) => setTyping((old) => (old ?? '') + piece),
        restart: () => setTyping(''),
        done: become,
      });
    });
  const call = () => attempt(async () => become((await handOver(ticket)).status));
  const end = () => attempt(async () => become((await close(ticket)).status));
  const offers = status === 'bot' && (last?.details.offer_human || lines.some((line) => line.sender === 'guest'));
  return (
    <>
      <Lines messages={lines} mine="guest" typing={typing} label={t('Chat with us')} />
      {failure ? <Alert color="red" role="alert" radius={0}>{failure}</Alert> : null}
      {NOTES[status] ? <Text size="xs" c="dimmed" ta="center" px="md" pb="xs" role="status">{t(NOTES[status])}</Text> : null}
      {status === 'closed' ? (
        <div className="chat-foot">
          {AfterChat ? <AfterChat ticket={ticket} /> : null}
          <Button fullWidth mt="sm" variant="default" onClick={leave}>{t('New chat')}</Button>
        </div>
      ) : (
        <>
          <Group justify="space-between" px="md" pb={6}>
            {offers ? <Button size="compact-xs" variant="subtle" onClick={call}>{t('Talk to a person')}</Button> : <span />}
            <Button size="compact-xs" variant="subtle" color="gray" onClick={end}>{t('End chat')}</Button>
          </Group>
          <Composer draft={`draft ${ticket.id}`} label="Your message" action="Send" busy={typing !== null} send={speak} />
        </>
      )}
    </>
  );
}

/** The chat in the corner of the homepage. */
export default function AIChatBot() {
  const t = useT();
  const [open, setOpen] = useHotState('open', false);
  const [ticket, setTicket] = useHotState<Ticket | null>('ticket', keptTicket);
  const [bot, setBot] = useState({ bot_name: '', greeting: '' });
  const launcher = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (open) about().then(setBot, () => undefined);
  }, [open]);
  const enter = useCallback((next: Ticket | null) => {
    keepTicket(next);
    setTicket(next);
  }, [setTicket]);
  const leave = useCallback(() => enter(null), [enter]);
  const shut = () => {
    setOpen(false);
    requestAnimationFrame(() => launcher.current?.focus());
  };
  if (!open) {
    return (
      <Tooltip label={t('Chat with us')} position="left">
        <ActionIcon
          ref={launcher}
          className="chat-launcher"
          size={56}
          radius="xl"
          variant="filled"
          aria-label={t('Chat with us')}
          onClick={() => setOpen(true)}
        >
          <Icon name="ChatBubbleLeftRightIcon" size={28} />
        </ActionIcon>
      </Tooltip>
    );
  }
  return (
    <Paper
      className="chat-window"
      shadow="xl"
      radius="lg"
      withBorder
      role="dialog"
      aria-label={t('Chat with us')}
      onKeyDown={(event) => event.key === 'Escape' && shut()}
    >
      <Group className="chat-head" justify="space-between" wrap="nowrap">
        <Text fw={600}>{bot.bot_name || t('Chat with us')}</Text>
        <CloseButton aria-label={t('Close the chat window')} onClick={shut} />
      </Group>
      {ticket ? (
        <Conversation key={ticket.id} ticket={ticket} leave={leave} />
      ) : (
        <ContactForm greeting={bot.greeting} started={(made) => enter(made.ticket)} />
      )}
    </Paper>
  );
}
