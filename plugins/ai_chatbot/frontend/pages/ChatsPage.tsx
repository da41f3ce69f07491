import '../chat.css';
import { PageHeader, Tabs } from '@hotbay/ui';
import { useHotState, useT } from '@hotbay/sdk';
import { Desk } from '../parts/Desk';
import { Statistics } from '../parts/extras';
import { Knowledge } from '../parts/Knowledge';

/** The staff's side of the chat: conversations as they come, and what the bot knows. */
export default function ChatsPage() {
  const t = useT();
  const [tab, setTab] = useHotState<string | null>('tab', 'chats');
  return (
    <>
      <PageHeader title={t('Live Chats')} about={t('Answer your guests, and teach the bot.')} />
      <Tabs value={tab} onChange={setTab} keepMounted={false}>
        <Tabs.List mb="md">
          <Tabs.Tab value="chats">{t('Conversations')}</Tabs.Tab>
          <Tabs.Tab value="knowledge">{t('Knowledge base')}</Tabs.Tab>
          {Statistics ? <Tabs.Tab value="statistics">{t('Statistics')}</Tabs.Tab> : null}
        </Tabs.List>
        <Tabs.Panel value="chats"><Desk /></Tabs.Panel>
        <Tabs.Panel value="knowledge"><Knowledge /></Tabs.Panel>
        {Statistics ? <Tabs.Panel value="statistics"><Statistics /></Tabs.Panel> : null}
      </Tabs>
    </>
  );
}
