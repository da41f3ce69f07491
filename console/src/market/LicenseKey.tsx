// The licence key of a plugin that is paid for: asked for, kept encrypted by the server, never shown again.
import { Alert, Anchor, Group, PasswordInput, Text } from "@mantine/core";
import { useEffect, useState } from "react";
import { api } from "../../sdk/api";
import { useT } from "../../sdk/words";
import type { License } from "../api/answers";
import type { LicenseBody } from "../api/bodies";

const at = (plugin: string) => `/marketplace/license/${plugin}`;

/** Give a key to the server; nothing when none was typed. */
export async function keepLicense(plugin: string, key: string): Promise<void> {
  if (key.trim()) await api.put(at(plugin), { license_key: key } satisfies LicenseBody);
}

/** The field for the key; a word instead where the server has one already. */
export function LicenseKey({ plugin, value, onChange }: { plugin: string; value: string; onChange: (key: string) => void }) {
  const t = useT();
  const [kept, setKept] = useState(false);
  useEffect(() => {
    const stop = new AbortController();
    api.get<License>(at(plugin), { signal: stop.signal }).then((found) => setKept(found.set), () => setKept(false));
    return () => stop.abort();
  }, [plugin]);
  if (kept) {
    return (
      <Alert color="teal" p="sm">
        <Group justify="space-between">
          <Text size="sm">{t("This site has a licence key for it.")}</Text>
          <Anchor component="button" type="button" size="sm" onClick={() => setKept(false)}>{t("Another key")}</Anchor>
        </Group>
      </Alert>
    );
  }
  const about = t("As its seller gave it. It is kept encrypted and not shown again; the repository decides whether it is good.");
  return <PasswordInput label={t("Licence key")} description={about} autoComplete="off" maxLength={512} value={value} onChange={(event) => onChange(event.currentTarget.value)} />;
}
