import { api, notify, useT } from "@hotbay/sdk";
import { Button, Group, Money, PageHeader, RelativeTime, SegmentedControl } from "@hotbay/ui";
import { useState } from "react";
import { List, Status, useNames } from "./pieces";
import type { Order } from "./types";

export default function Orders() {
  const t = useT();
  const [status, setStatus] = useState("");
  const [turn, setTurn] = useState(0);
  const customer = useNames("/customers");
  const product = useNames("/products");
  const become = async (order: Order, next: string) => {
    await api.put(`/orders/${order.id}/status`, { status: next }).catch((error: Error) => notify({ kind: "error", message: error.message }));
    setTurn(turn + 1);
  };
  return (
    <>
      <PageHeader title={t("Orders")} />
      <SegmentedControl mb="md" value={status} onChange={setStatus} aria-label={t("Status")} data={[{ value: "", label: t("All") }, ...["pending", "active", "cancelled"].map((value) => ({ value, label: t(value) }))]} />
      <List<Order> key={status} path="/orders" query={{ status }} turn={turn} columns={[
        { name: "Customer", cell: (row) => customer(row.customer_id) },
        { name: "Product", cell: (row) => `${row.quantity} × ${product(row.product_id)}` },
        { name: "Status", cell: (row) => <Status of={row.status} /> },
        { name: "When", cell: (row) => <RelativeTime at={row.created_at} /> },
        { name: "Total", right: true, cell: (row) => <Money cents={row.total_cents} /> },
        { name: "Actions", right: true, cell: (row) => row.status === "pending" ? <Group gap={6} justify="flex-end" wrap="nowrap"><Button size="compact-xs" onClick={() => void become(row, "active")}>{t("Activate")}</Button><Button size="compact-xs" variant="default" onClick={() => void become(row, "cancelled")}>{t("Cancel")}</Button></Group> : null },
      ]} />
    </>
  );
}
