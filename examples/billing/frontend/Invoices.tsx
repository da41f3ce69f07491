import { api, notify, useT } from "@hotbay/sdk";
import { Button, Group, Money, PageHeader, SegmentedControl } from "@hotbay/ui";
import { useState } from "react";
import { List, Status, useNames } from "./pieces";
import type { Invoice } from "./types";

export default function Invoices() {
  const t = useT();
  const [status, setStatus] = useState("");
  const [turn, setTurn] = useState(0);
  const customer = useNames("/customers");
  const pay = async (invoice: Invoice) => {
    try {
      await api.post("/payments", { invoice_id: invoice.id, amount_cents: invoice.total_cents - invoice.paid_cents });
      notify({ kind: "success", message: t("{number} is paid", { number: invoice.number }) });
    } catch (failure) {
      notify({ kind: "error", message: (failure as Error).message });
    }
    setTurn(turn + 1);
  };
  return (
    <>
      <PageHeader title={t("Invoices")} />
      <SegmentedControl mb="md" value={status} onChange={setStatus} aria-label={t("Status")} data={[{ value: "", label: t("All") }, ...["open", "overdue", "paid", "void"].map((value) => ({ value, label: t(value) }))]} />
      <List<Invoice> key={status} path="/invoices" query={{ status }} turn={turn} columns={[
        { name: "Number", cell: (row) => row.number },
        { name: "Customer", cell: (row) => customer(row.customer_id) },
        { name: "Due", cell: (row) => row.due_on },
        { name: "Status", cell: (row) => <Status of={row.status} /> },
        { name: "Total", right: true, cell: (row) => <Money cents={row.total_cents} /> },
        { name: "Actions", right: true, cell: (row) => ["open", "overdue"].includes(row.status) ? <Group justify="flex-end"><Button size="compact-xs" variant="default" onClick={() => void pay(row)}>{t("Book the payment")}</Button></Group> : null },
      ]} />
    </>
  );
}
