import { useT } from "@hotbay/sdk";
import { Money, PageHeader, RelativeTime } from "@hotbay/ui";
import { List } from "./pieces";
import type { Payment } from "./types";

export default function Payments() {
  const t = useT();
  return (
    <>
      <PageHeader title={t("Payments")} />
      <List<Payment> path="/payments" columns={[
        { name: "Received", cell: (row) => <RelativeTime at={row.received_at} /> },
        { name: "Invoice", cell: (row) => `#${row.invoice_id}` },
        { name: "By", cell: (row) => t(row.method) },
        { name: "Reference", cell: (row) => row.reference },
        { name: "Amount", right: true, cell: (row) => <Money cents={row.amount_cents} /> },
      ]} />
    </>
  );
}
