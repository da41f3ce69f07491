import { Slot, useApi, useT, useViewer } from "@hotbay/sdk";
import { Card, Money, PageHeader, SimpleGrid, StatCard, Text } from "@hotbay/ui";
import { Link } from "react-router";
import { List, Status, useNames } from "./pieces";
import type { Invoice, Order, Page } from "./types";

export default function Dashboard() {
  const t = useT();
  const viewer = useViewer();
  const customers = useApi<Page<unknown>>("/customers", { per_page: 1 });
  const pending = useApi<Page<unknown>>("/orders", { per_page: 1, status: "pending" });
  const open = useApi<Page<Invoice>>("/invoices", { per_page: 200, status: "open" });
  const overdue = useApi<Page<Invoice>>("/invoices", { per_page: 200, status: "overdue" });
  const nameOf = useNames("/customers");
  const owed = [...(open.data?.items ?? []), ...(overdue.data?.items ?? [])].reduce((sum, one) => sum + one.total_cents - one.paid_cents, 0);
  return (
    <>
      <PageHeader title={t("Dashboard")} about={t("Logged in as {name}", { name: viewer.name })} />
      <SimpleGrid cols={{ base: 2, lg: 4 }} mb="lg">
        <StatCard label={t("Customers")} value={customers.data?.total ?? "–"} icon="UsersIcon" />
        <StatCard label={t("Pending orders")} value={pending.data?.total ?? "–"} icon="ShoppingCartIcon" />
        <StatCard label={t("Owed to us")} value={<Money cents={owed} />} icon="BanknotesIcon" />
        <StatCard label={t("Overdue invoices")} value={overdue.data?.total ?? "–"} icon="ExclamationTriangleIcon" />
        <Slot name="dashboard.cards" />
      </SimpleGrid>
      <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="lg">
        <Card withBorder padding="lg">
          <Text fw={600} mb="sm" component={Link} to="/invoices" className="billing-plain">{t("Newest invoices")}</Text>
          <List<Invoice> path="/invoices" perPage={6} bare columns={[
            { name: "Number", cell: (row) => row.number },
            { name: "Customer", cell: (row) => nameOf(row.customer_id) },
            { name: "Status", cell: (row) => <Status of={row.status} /> },
            { name: "Total", right: true, cell: (row) => <Money cents={row.total_cents} /> },
          ]} />
        </Card>
        <Card withBorder padding="lg">
          <Text fw={600} mb="sm" component={Link} to="/orders" className="billing-plain">{t("Newest orders")}</Text>
          <List<Order> path="/orders" perPage={6} bare columns={[
            { name: "Customer", cell: (row) => nameOf(row.customer_id) },
            { name: "Status", cell: (row) => <Status of={row.status} /> },
            { name: "Total", right: true, cell: (row) => <Money cents={row.total_cents} /> },
          ]} />
        </Card>
      </SimpleGrid>
      <Slot name="dashboard.widgets" />
    </>
  );
}
