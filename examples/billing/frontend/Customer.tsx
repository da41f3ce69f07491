import { Slot, useApi, useT } from "@hotbay/sdk";
import { Anchor, Card, Failure, Money, PageHeader, Skeleton, Stack, Text } from "@hotbay/ui";
import { Link, useParams } from "react-router";
import { List, Status } from "./pieces";
import type { Customer as Row, Invoice } from "./types";

export default function Customer() {
  const t = useT();
  const { id = "" } = useParams();
  const { data, error, reload } = useApi<Row>(`/customers/${id}`);
  if (error && !data) return <Failure error={error} retry={reload} />;
  if (!data) return <Skeleton height={300} />;
  return (
    <Stack gap="lg">
      <Anchor component={Link} to="/customers" size="sm" c="dimmed">← {t("Customers")}</Anchor>
      <PageHeader title={data.name} about={[data.email, data.company, data.phone, data.country].filter(Boolean).join(" · ")} />
      <Card withBorder padding="lg">
        <Text fw={600} mb="sm">{t("Invoices")}</Text>
        <List<Invoice> path="/invoices" query={{ customer_id: data.id }} columns={[
          { name: "Number", cell: (row) => row.number },
          { name: "Due", cell: (row) => row.due_on },
          { name: "Status", cell: (row) => <Status of={row.status} /> },
          { name: "Total", right: true, cell: (row) => <Money cents={row.total_cents} /> },
        ]} />
      </Card>
      <Slot name="customer.tabs" />
    </Stack>
  );
}
