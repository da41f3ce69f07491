import { api, ApiError, useT } from "@hotbay/sdk";
import { Alert, Badge, Button, Group, Modal, Money, NumberInput, PageHeader, Stack, Switch, Textarea, TextInput } from "@hotbay/ui";
import { type FormEvent, useState } from "react";
import { List } from "./pieces";
import type { Product } from "./types";

const NOTHING = { id: 0, sku: "", name: "", description: "", price_cents: 0, active: true };

function Edit({ product, onClose, onDone }: { product: Product; onClose: () => void; onDone: () => void }) {
  const t = useT();
  const [error, setError] = useState("");
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => String(form.get(name) ?? "");
    const body = { sku: text("sku"), name: text("name"), description: text("description"), price_cents: Math.round(Number(text("price")) * 100), active: form.has("active") };
    try {
      await (product.id ? api.put(`/products/${product.id}`, body) : api.post("/products", body));
      onDone();
    } catch (failure) {
      setError((failure as ApiError).message);
    }
  };
  return (
    <Modal opened onClose={onClose} title={product.id ? product.name : t("New product")} closeButtonProps={{ "aria-label": t("Close") }}>
      <form onSubmit={submit}>
        <Stack gap="sm">
          {error ? <Alert color="red" role="alert">{error}</Alert> : null}
          <TextInput name="sku" label={t("Article number")} required defaultValue={product.sku} data-autofocus />
          <TextInput name="name" label={t("Name")} required defaultValue={product.name} />
          <Textarea name="description" label={t("Description")} autosize minRows={2} defaultValue={product.description} />
          <NumberInput name="price" label={t("Price")} min={0} decimalScale={2} fixedDecimalScale defaultValue={product.price_cents / 100} suffix="" />
          <Switch name="active" label={t("Is sold")} defaultChecked={product.active} />
          <Group justify="flex-end" mt="xs"><Button variant="default" onClick={onClose}>{t("Cancel")}</Button><Button type="submit">{t("Save")}</Button></Group>
        </Stack>
      </form>
    </Modal>
  );
}

export default function Products() {
  const t = useT();
  const [turn, setTurn] = useState(0);
  const [editing, setEditing] = useState<Product | null>(null);
  return (
    <>
      <PageHeader title={t("Products")}><Button onClick={() => setEditing(NOTHING)}>{t("New product")}</Button></PageHeader>
      <List<Product> path="/products" turn={turn} columns={[
        { name: "Name", cell: (row) => <button type="button" className="billing-link" onClick={() => setEditing(row)}>{row.name}</button> },
        { name: "Article number", cell: (row) => row.sku },
        { name: "State", cell: (row) => <Badge variant="light" color={row.active ? "teal" : "gray"}>{row.active ? t("sold") : t("retired")}</Badge> },
        { name: "Price", right: true, cell: (row) => <Money cents={row.price_cents} /> },
      ]} />
      {editing ? <Edit product={editing} onClose={() => setEditing(null)} onDone={() => { setEditing(null); setTurn(turn + 1); }} /> : null}
    </>
  );
}
