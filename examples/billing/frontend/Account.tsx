import { Slot, useT, useViewer } from "@hotbay/sdk";
import { Card, Money, PageHeader, SimpleGrid, Text } from "@hotbay/ui";
import { Invoices, List, Status, useNames } from "./pieces";
import type { Order } from "./types";

export default function Account() {
  const t = useT();
  const { name } = useViewer();
  const product = useNames("/products");
  return (
    <>
      <PageHeader title={t("My account")} about={name} />
      <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="lg" style={{ alignItems: "start" }}>
        <Card withBorder padding="lg">
          <Text fw={600} mb="sm">{t("My invoices")}</Text>
          <Invoices />
        </Card>
        <Card withBorder padding="lg">
          <Text fw={600} mb="sm">{t("My orders")}</Text>
          <List<Order> path="/orders" columns={[
            { name: "Product", cell: (row) => `${row.quantity} × ${product(row.product_id)}` },
            { name: "Status", cell: (row) => <Status of={row.status} /> },
            { name: "Total", right: true, cell: (row) => <Money cents={row.total_cents} /> },
          ]} />
        </Card>
      </SimpleGrid>
      <Slot name="customer.tabs" />
    </>
  );
}
