import { Slot, useApi, useT, useViewer } from "@hotbay/sdk";
import { Button, Card, Container, Failure, Money, SimpleGrid, Skeleton, Text, Title } from "@hotbay/ui";
import { Link } from "react-router";
import type { Page, Product } from "./types";

export default function Home() {
  const t = useT();
  const admin = useViewer().role === "admin";
  const { data, error, reload } = useApi<Page<Product>>("/products", { per_page: 60 });
  return (
    <>
      <section className="billing-hero">
        <Container size={1240} className="billing-wide">
          <Title order={1} className="billing-title">{t("Hosting, domains and mail")}</Title>
          <Text className="billing-lead">{t("Fast servers in Europe, simple prices, and people who answer.")}</Text>
          <Button component={Link} to={admin ? "/dashboard" : "/account"} size="md" mt="lg">{admin ? t("Dashboard") : t("My account")}</Button>
        </Container>
      </section>
      <Container size={1240} py={48} className="billing-wide">
        <Title order={2} fz={20} mb="lg">{t("Products")}</Title>
        {error && !data ? <Failure error={error} retry={reload} /> : null}
        <SimpleGrid cols={{ base: 1, xs: 2, md: 3 }} spacing="md">
          {data?.items.filter((one) => one.active).map((product) => (
            <Card key={product.id} withBorder padding="lg" className="billing-product">
              <Text fw={640}>{product.name}</Text>
              <Text size="sm" c="dimmed" mt={4}>{product.description}</Text>
              <Text fz={22} fw={660} mt="auto" pt="md"><Money cents={product.price_cents} /></Text>
            </Card>
          ))}
          {data || error ? null : [1, 2, 3].map((one) => <Skeleton key={one} height={150} radius={16} />)}
        </SimpleGrid>
      </Container>
      <Slot name="homepage.widgets" />
    </>
  );
}
