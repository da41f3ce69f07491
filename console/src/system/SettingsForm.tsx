import { Button, Card, Group, NumberInput, PasswordInput, Select, Skeleton, Stack, Switch, TagsInput, Text, TextInput, Textarea } from "@mantine/core";
import { useEffect, useState } from "react";
import { ApiError } from "../../sdk/api";
import { useSettings } from "../../sdk/data";
import { notify } from "../../sdk/doors";
import { useEvents } from "../../sdk/stream";
import { mark, told, useT } from "../../sdk/words";
import { Failure } from "../../ui/pieces";
import { label } from "./labels";
import { Prose } from "./Prose";

interface Field {
  type?: string;
  title?: string;
  description?: string;
  default?: unknown;
  enum?: unknown[];
  format?: string;
  writeOnly?: boolean;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  pattern?: string;
  items?: Field;
  anyOf?: Field[];
}

/** `anyOf` with null is how a schema says that a field may be empty. */
function plain(field: Field): Field {
  const inner = field.anyOf?.find((one) => one.type !== "null");
  return inner ? { ...inner, ...field, type: inner.type ?? "string", format: inner.format ?? field.format ?? "" } : field;
}

/** What is wrong with a value, as far as the schema says; empty when it fits. */
export function fault(field: Field, value: unknown): [string, Record<string, string | number>] | null {
  if (typeof value === "string") {
    if (field.minLength !== undefined && value.length < field.minLength) return [mark("At least {count} characters"), { count: field.minLength }];
    if (field.maxLength !== undefined && value.length > field.maxLength) return [mark("At most {count} characters"), { count: field.maxLength }];
    if (field.pattern && value && !new RegExp(field.pattern, "u").test(value)) return [mark("Does not have the right form"), {}];
  }
  if (typeof value === "number") {
    if (field.minimum !== undefined && value < field.minimum) return [mark("At least {count}"), { count: field.minimum }];
    if (field.exclusiveMinimum !== undefined && value <= field.exclusiveMinimum) return [mark("More than {count}"), { count: field.exclusiveMinimum }];
    if (field.maximum !== undefined && value > field.maximum) return [mark("At most {count}"), { count: field.maximum }];
  }
  return null;
}

function Input({ name, field, value, error, onChange }: { name: string; field: Field; value: unknown; error: string; onChange: (value: unknown) => void }) {
  const t = useT();
  const shared = { label: label(name, field.title), description: field.description ? <Prose text={field.description} /> : undefined, error: error || undefined, name };
  const text = typeof value === "string" ? value : "";
  if (field.enum) return <Select {...shared} data={field.enum.map(String)} value={String(value ?? "")} onChange={onChange} allowDeselect={false} />;
  if (field.type === "boolean") return <Switch {...shared} checked={Boolean(value)} onChange={(event) => onChange(event.currentTarget.checked)} />;
  if (field.type === "integer" || field.type === "number") {
    return <NumberInput {...shared} value={typeof value === "number" ? value : ""} allowDecimal={field.type === "number"} onChange={(next) => onChange(next === "" ? null : Number(next))} />;
  }
  if (field.type === "array") return <TagsInput {...shared} value={Array.isArray(value) ? value.map(String) : []} onChange={onChange} />;
  if (field.writeOnly || field.format === "password") {
    return <PasswordInput {...shared} autoComplete="off" value={text} onChange={(event) => onChange(event.currentTarget.value)} placeholder={t("unchanged; nobody can read it")} />;
  }
  if ((field.maxLength ?? 0) > 500 || text.length > 120) return <Textarea {...shared} autosize minRows={2} maxRows={10} value={text} onChange={(event) => onChange(event.currentTarget.value)} />;
  return <TextInput {...shared} value={text} onChange={(event) => onChange(event.currentTarget.value)} />;
}

/** A plugin's settings as a form that its own schema describes; every worker takes a change at once. */
export function SettingsForm({ plugin }: { plugin: string }) {
  const t = useT();
  const { data, error, reload, save } = useSettings(plugin);
  const [changes, setChanges] = useState<Record<string, unknown>>({});
  const [refused, setRefused] = useState<ApiError | null>(null);
  const [busy, setBusy] = useState(false);
  useEffect(() => setRefused(null), [changes]);
  useEvents("registry", reload);
  if (error && !data) return <Failure error={error} retry={reload} />;
  if (!data) return <Skeleton height={280} radius={12} />;
  const fields = Object.entries((data.schema?.properties ?? {}) as Record<string, Field>).map(([name, field]) => [name, plain(field)] as const);
  // What was typed for a setting that an upgrade took away is kept in case it comes back, and not sent.
  const mine = Object.fromEntries(fields.filter(([name]) => name in changes).map(([name]) => [name, changes[name]]));
  const secret = (field: Field) => field.writeOnly || field.format === "password";
  const wrong = (name: string, field: Field) => {
    const found = name in changes ? fault(field, changes[name]) : null;
    return found ? t(found[0], found[1]) : told(refused?.problems.find((one) => one.field === name || one.field.endsWith(`.${name}`))?.rule ?? "");
  };
  const bad = fields.some(([name, field]) => name in changes && fault(field, changes[name]));
  const store = async () => {
    setBusy(true);
    try {
      await save(mine);
      setChanges({});
      notify({ kind: "success", message: t("The settings are stored; every worker has them.") });
    } catch (failure) {
      if (failure instanceof ApiError) setRefused(failure);
    }
    setBusy(false);
  };
  return (
    <Card withBorder padding="xl" maw={760} component="form" onSubmit={(event: React.FormEvent) => { event.preventDefault(); void store(); }}>
      <Stack gap="md">
        {data.schema?.description ? <Text size="sm" c="dimmed"><Prose text={String(data.schema.description)} /></Text> : null}
        {fields.map(([name, field]) => (
          <Input key={name} name={name} field={field} error={wrong(name, field)}
            value={name in changes ? changes[name] : secret(field) ? "" : (data.values[name] ?? field.default ?? null)}
            onChange={(value) => setChanges((old) => ({ ...old, [name]: value }))} />
        ))}
        {refused && !refused.problems.length ? <Failure error={refused} /> : null}
        <Group justify="flex-end">
          <Button variant="default" disabled={!Object.keys(mine).length} onClick={() => setChanges({})}>{t("Discard")}</Button>
          <Button type="submit" loading={busy} disabled={bad || !Object.keys(mine).length}>{t("Save")}</Button>
        </Group>
      </Stack>
    </Card>
  );
}
