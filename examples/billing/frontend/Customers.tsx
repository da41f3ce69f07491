import { api, ApiError, notify, useT } from "@hotbay/sdk";
import { Alert, Button, Group, Modal, PageHeader, RelativeTime, Stack, TextInput, useDebouncedValue, useDisclosure } from "@hotbay/ui";
import { type FormEvent, useState } from "react";
import { Link } from "react-router";
import { List } from "./pieces";
import type { Customer } from "./types";

function NewCustomer({ onClose, onMade }: { onClose: () => void; onMade: () => void }) {
  const t = useT();
  const [error, setError] = useState<ApiError | null>(null);
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    try {
      const made = await api.post<Customer>("/customers", Object.fromEntries(new FormData(event.currentTarget)));
      notify({ kind: "success", message: t("{name} was added", { name: made.name }) });
      onMade();
    } catch (failure) {
      setError(failure as ApiError);
    }
  };
  return (
    <Modal opened onClose={onClose} title={t("New customer")} closeButtonProps={{ "aria-label": t("Close") }}>
      <form onSubmit={submit}>
        <Stack gap="sm">
          {error ? <Alert color="red" role="alert">{error.message} {error.problems.map((one) => `${one.field}: ${one.rule}`).join("; ")}</Alert> : null}
          <TextInput name="name" label={t("Name")} required data-autofocus />
          <TextInput name="email" label={t("E-mail")} type="email" required />
          <TextInput name="company" label={t("Company")} />
          <TextInput name="phone" label={t("Phone")} />
          <TextInput name="country" label={t("Country")} />
          <Group justify="flex-end" mt="xs"><Button variant="default" onClick={onClose}>{t("Cancel")}</Button><Button type="submit">{t("Add")}</Button></Group>
        </Stack>
      </form>
    </Modal>
  );
}

export default function Customers() {
  const t = useT();
  const [words, setWords] = useState("");
  const [q] = useDebouncedValue(words, 200);
  const [turn, setTurn] = useState(0);
  const [adding, { open, close }] = useDisclosure();
  return (
    <>
      <PageHeader title={t("Customers")}><Button onClick={open}>{t("New customer")}</Button></PageHeader>
      <TextInput mb="md" maw={320} value={words} onChange={(event) => setWords(event.currentTarget.value)} placeholder={t("Name, e-mail or company")} aria-label={t("Search")} />
      <List<Customer> key={q} path="/customers" query={{ q }} turn={turn} columns={[
        { name: "Name", cell: (row) => <Link className="hb-row" to={`/customers/${row.id}`}>{row.name}</Link> },
        { name: "E-mail", cell: (row) => row.email },
        { name: "Company", cell: (row) => row.company },
        { name: "Country", cell: (row) => row.country },
        { name: "Since", cell: (row) => <RelativeTime at={row.created_at} /> },
      ]} />
      {adding ? <NewCustomer onClose={close} onMade={() => { close(); setTurn(turn + 1); }} /> : null}
    </>
  );
}
