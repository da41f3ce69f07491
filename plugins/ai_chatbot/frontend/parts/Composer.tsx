import { Button, Group, Textarea } from '@hotbay/ui';
import { useHotState, useT } from '@hotbay/sdk';
import type { FormEvent, KeyboardEvent } from 'react';

interface Props {
  /** What is typed is kept under this key when the plugin is upgraded meanwhile. */
  draft: string;
  label: string;
  action: string;
  busy: boolean;
  send: (text: string) => Promise<boolean>;
}

/** Where one writes. Enter sends, Shift+Enter is a new line. */
export function Composer({ draft, label, action, busy, send }: Props) {
  const t = useT();
  const [text, setText] = useHotState(draft, '');
  const go = async () => {
    const said = text.trim();
    if (!said || busy) return;
    setText('');
    if (!(await send(said))) setText(said);
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    void go();
  };
  const onSubmit = (event: FormEvent) => {
    event.preventDefault();
    void go();
  };
  return (
    <form className="chat-foot" onSubmit={onSubmit}>
      <Group gap="xs" align="flex-end" wrap="nowrap">
        <Textarea
          style={{ flex: 1 }}
          aria-label={t(label)}
          placeholder={t(label)}
          autosize
          minRows={1}
          maxRows={5}
          maxLength={4000}
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
          onKeyDown={onKey}
        />
        <Button type="submit" disabled={!text.trim() || busy}>{t(action)}</Button>
      </Group>
    </form>
  );
}
