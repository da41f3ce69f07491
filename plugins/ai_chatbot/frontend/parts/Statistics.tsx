import { Failure, SimpleGrid, Skeleton, StatCard } from '@hotbay/ui';
import { useApi, useT } from '@hotbay/sdk';

interface Sums {
  sessions: Record<string, number>;
  answered_by_bot: number;
  average_rating: number | null;
}

/** How the chats went. */
export function Statistics() {
  const t = useT();
  const { data, error, reload } = useApi<Sums>('/chat/admin/statistics');
  if (error) return <Failure error={error} retry={reload} />;
  if (!data) return <Skeleton h={110} />;
  const chats = Object.values(data.sessions).reduce((sum, count) => sum + count, 0);
  return (
    <SimpleGrid cols={{ base: 1, sm: 3 }}>
      <StatCard label={t('Chats')} value={chats} icon="ChatBubbleLeftRightIcon" />
      <StatCard label={t('Answered by the bot alone')} value={data.answered_by_bot} icon="CpuChipIcon" />
      <StatCard label={t('Average rating')} value={data.average_rating?.toFixed(1) ?? '–'} icon="StarIcon" />
    </SimpleGrid>
  );
}
