import { Slot, useApi, useT } from "@hotbay/sdk";
import { Anchor, Card, Failure, PageHeader, Skeleton, Stack, Text } from "@hotbay/ui";
import { Link, useParams } from "react-router";
import { Invoices } from "./pieces";
import type { Customer as Row } from "./types";

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
        <Invoices customer={data.id} />
      </Card>
      <Slot name="customer.tabs" />
    </Stack>
  );
}
