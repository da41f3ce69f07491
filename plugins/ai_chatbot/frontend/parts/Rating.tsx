import { Button, Stack, Text, Textarea, UnstyledButton } from '@hotbay/ui';
import { api, notify, useT } from '@hotbay/sdk';
import { useState } from 'react';
import { pathOf, type Ticket } from '../lib/guest';

const STARS = [1, 2, 3, 4, 5];

/** After a chat: from 1 to 5, and a word why. */
export function Rating({ ticket }: { ticket: Ticket }) {
  const t = useT();
  const [rating, setRating] = useState(0);
  const [feedback, setFeedback] = useState('');
  const [done, setDone] = useState(false);
  if (done) return <Text size="sm" ta="center" role="status">{t('Thank you!')}</Text>;
  const send = () =>
    api.post(pathOf(ticket, '/rating'), { rating, feedback }, { query: { token: ticket.token } }).then(
      () => setDone(true),
      (error: Error) => notify({ kind: 'error', message: error.message }),
    );
  return (
    <Stack gap="xs">
      <Text size="sm" fw={600}>{t('How was it?')}</Text>
      <div className="chat-stars" role="group" aria-label={t('How was it?')}>
        {STARS.map((star) => (
          <UnstyledButton
            key={star}
            className="chat-star"
            data-on={star <= rating}
            aria-pressed={star === rating}
            aria-label={t('{count} of 5', { count: star })}
            onClick={() => setRating(star)}
          >
            {star <= rating ? '★' : '☆'}
          </UnstyledButton>
        ))}
      </div>
      {rating ? (
        <>
          <Textarea
            aria-label={t('Anything you want to add?')}
            placeholder={t('Anything you want to add?')}
            maxLength={2000}
            value={feedback}
            onChange={(event) => setFeedback(event.currentTarget.value)}
          />
          <Button size="xs" onClick={send}>{t('Send rating')}</Button>
        </>
      ) : null}
    </Stack>
  );
}
