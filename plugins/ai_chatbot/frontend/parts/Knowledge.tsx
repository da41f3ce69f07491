import { Badge, Button, Card, Empty, Failure, Group, Modal, Skeleton, Stack, Switch, Text, TextInput, Textarea } from '@hotbay/ui';
import { api, notify, useApi, useHotState, useT } from '@hotbay/sdk';
import { type FormEvent, useState } from 'react';
import type { Article } from '../lib/types';

type Draft = Omit<Article, 'id'> & { id: number | null };
const BLANK: Draft = { id: null, title: '', body: '', keywords: '', enabled: true };

function Editor({ draft, change, done }: { draft: Draft; change: (draft: Draft | null) => void; done: () => void }) {
  const t = useT();
  const [busy, setBusy] = useState(false);
  const run = async (work: () => Promise<unknown>) => {
    setBusy(true);
    try {
      await work();
      done();
    } catch (error) {
      notify({ kind: 'error', message: (error as Error).message });
    } finally {
      setBusy(false);
    }
  };
  const save = (event: FormEvent) => {
    event.preventDefault();
    const { id, ...body } = draft;
    void run(() => (id === null ? api.post('/chat/admin/articles', body) : api.put(`/chat/admin/articles/${id}`, body)));
  };
  return (
    <form onSubmit={save}>
      <Stack>
        <TextInput label={t('Title')} required maxLength={200} value={draft.title} onChange={(event) => change({ ...draft, title: event.currentTarget.value })} />
        <Textarea label={t('Text')} required autosize minRows={5} maxRows={14} maxLength={20000} value={draft.body} onChange={(event) => change({ ...draft, body: event.currentTarget.value })} />
        <TextInput label={t('Keywords')} maxLength={1000} value={draft.keywords} onChange={(event) => change({ ...draft, keywords: event.currentTarget.value })} />
        <Switch label={t('The bot uses it')} checked={draft.enabled} onChange={(event) => change({ ...draft, enabled: event.currentTarget.checked })} />
        <Group justify="space-between">
          {draft.id === null ? <span /> : (
            <Button variant="subtle" color="red" disabled={busy} onClick={() => run(() => api.delete(`/chat/admin/articles/${draft.id}`))}>{t('Delete')}</Button>
          )}
          <Group gap="xs">
            <Button variant="default" onClick={() => change(null)}>{t('Cancel')}</Button>
            <Button type="submit" loading={busy}>{t('Save')}</Button>
          </Group>
        </Group>
      </Stack>
    </form>
  );
}

/** What the bot knows. */
export function Knowledge() {
  const t = useT();
  const { data, error, reload } = useApi<Article[]>('/chat/admin/articles');
  const [draft, setDraft] = useHotState<Draft | null>('article', null);
  if (error) return <Failure error={error} retry={reload} />;
  if (!data) return <Skeleton h={240} />;
  const fresh = <Button onClick={() => setDraft(BLANK)}>{t('New article')}</Button>;
  const done = () => {
    setDraft(null);
    reload();
  };
  return (
    <>
      {data.length ? <Group justify="flex-end" mb="md">{fresh}</Group> : (
        <Empty icon="BookOpenIcon" title={t('No articles yet')} action={fresh}>{t('The bot answers from what stands here.')}</Empty>
      )}
      <Stack gap="sm">
        {data.map((article) => (
          <Card key={article.id} withBorder radius="md" padding="md">
            <Group justify="space-between" wrap="nowrap" align="flex-start">
              <div>
                <Group gap="xs"><Text fw={600}>{article.title}</Text>{article.enabled ? null : <Badge color="gray" variant="light">{t('not used')}</Badge>}</Group>
                <Text size="sm" c="dimmed" lineClamp={2}>{article.body}</Text>
              </div>
              <Button size="xs" variant="default" onClick={() => setDraft(article)} aria-label={`${t('Edit')}: ${article.title}`}>{t('Edit')}</Button>
            </Group>
          </Card>
        ))}
      </Stack>
      <Modal opened={draft !== null} onClose={() => setDraft(null)} title={draft?.id ? t('Edit') : t('New article')} size="lg">
        {draft ? <Editor draft={draft} change={setDraft} done={done} /> : null}
      </Modal>
    </>
  );
}
