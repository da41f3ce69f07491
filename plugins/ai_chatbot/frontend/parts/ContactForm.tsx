import { Alert, Button, Stack, Text, TextInput } from '@hotbay/ui';
import { ApiError, useHotState, useT } from '@hotbay/sdk';
import { type FormEvent, useState } from 'react';
import { begin } from '../lib/guest';

type Started = Awaited<ReturnType<typeof begin>>;

/** Who asks: before a chat begins. */
export function ContactForm({ greeting, started }: { greeting: string; started: (made: Started) => void }) {
  const t = useT();
  const [guest, setGuest] = useHotState('contact', { name: '', email: '', phone: '' });
  const [failure, setFailure] = useState('');
  const [busy, setBusy] = useState(false);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setFailure('');
    try {
      started(await begin(guest));
    } catch (error) {
      const fields = error instanceof ApiError ? error.problems.map((one) => `${one.field}: ${one.rule}`) : [];
      setFailure(fields.join('; ') || (error as Error).message);
    } finally {
      setBusy(false);
    }
  };
  const field = (name: keyof typeof guest) => ({
    value: guest[name],
    onChange: (event: { currentTarget: { value: string } }) => {
      const { value } = event.currentTarget;
      setGuest((old) => ({ ...old, [name]: value }));
    },
  });
  return (
    <form className="chat-body" onSubmit={submit}>
      <Stack gap="sm">
        <Text size="sm">{greeting}</Text>
        <TextInput label={t('Your name')} required maxLength={200} autoComplete="name" {...field('name')} />
        <TextInput label={t('Your e-mail')} required type="email" maxLength={254} autoComplete="email" {...field('email')} />
        <TextInput label={t('Phone (if you like)')} type="tel" maxLength={200} autoComplete="tel" {...field('phone')} />
        {failure ? <Alert color="red" role="alert">{failure}</Alert> : null}
        <Button type="submit" loading={busy}>{t('Start chat')}</Button>
      </Stack>
    </form>
  );
}
