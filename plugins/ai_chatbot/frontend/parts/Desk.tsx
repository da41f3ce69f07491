import { Badge, Button, Card, Center, Empty, Failure, Group, RelativeTime, SegmentedControl, Skeleton, Text, TextInput, UnstyledButton } from '@hotbay/ui';
import { api, notify, publish, useApi, useHotState, useT } from '@hotbay/sdk';
import { useCallback, useEffect, useState } from 'react';
import { merged, type Message, type StaffSession, type Status } from '../lib/types';
import { Composer } from './Composer';
import { Lines } from './Lines';

const COLORS: Record<Status, string> = { waiting: 'orange', human: 'green', bot: 'blue', closed: 'gray' };
const WORDS: Record<Status, string> = { waiting: 'Waiting', human: 'With a person', bot: 'With the bot', closed: 'Closed' };
const FILTERS: (Status | '')[] = ['', 'waiting', 'human', 'bot', 'closed'];

interface Page {
  items: StaffSession[];
  total: number;
}

function StatusBadge({ status }: { status: Status }) {
  return <Badge size="sm" variant="light" color={COLORS[status]}>{useT()(WORDS[status])}</Badge>;
}

/** Call `heard` for each message of any chat, as it comes. */
function useNews(heard: (message: Message) => void) {
  useEffect(() => {
    let source: EventSource | null = null;
    let stopped = false;
    const listen = ({ last }: { last: number }) => {
      if (stopped) return;
      source = new EventSource(api.url('/chat/admin/events', { after: last }));
      source.addEventListener('message', (event) => heard(JSON.parse(event.data as string) as Message));
    };
    api.get<{ last: number }>('/chat/admin/unread').then(listen, () => undefined);
    return () => {
      stopped = true;
      source?.close();
    };
  }, [heard]);
}

function Room({ id, news, changed }: { id: string; news: Message | null; changed: () => void }) {
  const t = useT();
  const session = useApi<StaffSession>(`/chat/admin/sessions/${id}`);
  const [lines, setLines] = useState<Message[]>([]);
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<unknown>(null);
  const path = `/chat/admin/sessions/${id}`;
  const add = useCallback((came: Message[]) => setLines((old) => merged(old, came)), []);
  useEffect(() => {
    api.get<Message[]>(`${path}/messages`).then(add, setFailure);
  }, [path, add]);
  useEffect(() => {
    if (news?.session_id !== id) return;
    add([news]);
    session.reload();
  }, [news, id, add, session.reload]);
  const last = lines.at(-1)?.id;
  useEffect(() => {
    if (last) void api.post(`${path}/read`, { up_to: last }).then(() => publish('badges', null), () => undefined);
  }, [path, last]);
  const act = async (verb: string, body: unknown = {}) => {
    setBusy(true);
    try {
      const answer = await api.post(`${path}/${verb}`, body);
      if (verb === 'reply') add([answer as Message]);
      session.reload();
      changed();
      return true;
    } catch (error) {
      notify({ kind: 'error', message: (error as Error).message });
      return false;
    } finally {
      setBusy(false);
    }
  };
  if (failure || session.error) return <Failure error={failure ?? session.error} retry={session.reload} />;
  const about = session.data;
  if (!about) return <Skeleton h={480} />;
  return (
    <Card withBorder padding={0} radius="md" className="chat-room">
      <Group className="chat-head" justify="space-between">
        <div>
          <Group gap="xs"><Text fw={600}>{about.name}</Text><StatusBadge status={about.status} /></Group>
          <Text size="xs" c="dimmed">{[about.email, about.phone, about.assigned_to].filter(Boolean).join(' · ')}</Text>
        </div>
        <Group gap="xs">
          {about.status === 'bot' || about.status === 'waiting' ? (
            <Button size="xs" disabled={busy} onClick={() => act('assign')}>{t('Take over')}</Button>
          ) : null}
          {about.status === 'closed' ? (
            <Button size="xs" variant="default" disabled={busy} onClick={() => act('reopen')}>{t('Reopen')}</Button>
          ) : (
            <Button size="xs" variant="default" disabled={busy} onClick={() => act('close')}>{t('Close chat')}</Button>
          )}
        </Group>
      </Group>
      <Lines messages={lines} mine="human" label={about.name} />
      {about.status === 'closed' ? null : (
        <Composer draft={`reply ${id}`} label="Your reply" action="Reply" busy={busy} send={(text) => act('reply', { text })} />
      )}
    </Card>
  );
}

function Row({ session, open, chosen }: { session: StaffSession; open: () => void; chosen: boolean }) {
  return (
    <UnstyledButton className="chat-row" aria-current={chosen} onClick={open}>
      <Group justify="space-between" wrap="nowrap" gap="xs">
        <Text size="sm" fw={session.unread ? 700 : 500} truncate>{session.name}</Text>
        {session.unread ? <Badge size="sm" circle>{session.unread}</Badge> : null}
      </Group>
      <Group justify="space-between" wrap="nowrap" gap="xs" mt={2}>
        <StatusBadge status={session.status} />
        <Text size="xs" c="dimmed" component="div"><RelativeTime at={session.updated_at} /></Text>
      </Group>
    </UnstyledButton>
  );
}

/** All chats, and the one that is open. */
export function Desk() {
  const t = useT();
  const [status, setStatus] = useHotState<Status | ''>('filter', '');
  const [search, setSearch] = useHotState('search', '');
  const [chosen, setChosen] = useHotState('chosen', '');
  const [news, setNews] = useState<Message | null>(null);
  const { data, error, reload } = useApi<Page>('/chat/admin/sessions', { status, q: search, per_page: 50 });
  const heard = useCallback((message: Message) => {
    setNews(message);
    reload();
    publish('badges', null);
  }, [reload]);
  useNews(heard);
  if (error) return <Failure error={error} retry={reload} />;
  return (
    <>
      <Group mb="md" gap="sm">
        <SegmentedControl
          size="sm"
          aria-label={t('Conversations')}
          value={status}
          onChange={(value) => setStatus(value as Status | '')}
          data={FILTERS.map((one) => ({ value: one, label: one ? t(WORDS[one]) : t('All') }))}
        />
        <TextInput aria-label={t('Search')} placeholder={t('Search')} value={search} onChange={(event) => setSearch(event.currentTarget.value)} />
      </Group>
      <div className="chat-desk">
        <Card withBorder padding={0} radius="md" className="chat-list">
          {!data ? <Skeleton h={240} /> : null}
          {data?.items.length === 0 ? (
            <Empty icon="ChatBubbleLeftRightIcon" title={t('No chats yet')}>{t('Chats of your guests appear here as they come.')}</Empty>
          ) : null}
          {data?.items.map((one) => (
            <Row key={one.id} session={one} chosen={one.id === chosen} open={() => setChosen(one.id)} />
          ))}
        </Card>
        {chosen ? <Room key={chosen} id={chosen} news={news} changed={reload} /> : (
          <Card withBorder radius="md"><Center h="100%"><Text c="dimmed">{t('Choose a chat')}</Text></Center></Card>
        )}
      </div>
    </>
  );
}
