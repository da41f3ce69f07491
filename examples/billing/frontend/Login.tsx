import { api, ApiError, navigate, Slot, useT, useViewer, viewerChanged } from "@hotbay/sdk";
import { Alert, Button, Card, Center, PasswordInput, Stack, Text, TextInput, Title } from "@hotbay/ui";
import { type FormEvent, useState } from "react";
import { Navigate, useSearchParams } from "react-router";

const HOME = { admin: "/dashboard", user: "/account", guest: "/" };

/** Only paths of this site: `next` comes from the address. */
function safe(next: string | null): string | null {
  return next?.startsWith("/") && !next.startsWith("//") && !next.includes("\\") ? next : null;
}

export default function Login() {
  const t = useT();
  const viewer = useViewer();
  const [query] = useSearchParams();
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const next = safe(query.get("next"));
  if (viewer.role !== "guest" && !busy) return <Navigate to={next ?? HOME[viewer.role]} replace />;
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    setBusy(true);
    setError("");
    try {
      const { user } = await api.post<{ user: { role: string } }>("/auth/login", Object.fromEntries(new FormData(event.currentTarget)));
      await viewerChanged();
      navigate(next ?? (user.role === "admin" ? HOME.admin : HOME.user), { replace: true });
    } catch (failure) {
      setError(failure instanceof ApiError && failure.status === 401 ? t("E-mail or password is wrong.") : (failure as Error).message);
    }
    setBusy(false);
  };
  return (
    <Center py={72} px="md">
      <Card withBorder padding={32} w={400} component="form" onSubmit={submit}>
        <Title order={1} fz={22}>{t("Log in")}</Title>
        <Text size="sm" c="dimmed" mb="lg" mt={4}>{t("To your products, invoices and messages.")}</Text>
        <Stack gap="md">
          {error ? <Alert color="red" role="alert">{error}</Alert> : null}
          <TextInput name="email" type="email" label={t("E-mail")} autoComplete="username" required withAsterisk={false} />
          <PasswordInput name="password" label={t("Password")} autoComplete="current-password" required withAsterisk={false} />
          <Slot name="login.fields" />
          <Button type="submit" loading={busy} fullWidth>{t("Log in")}</Button>
        </Stack>
      </Card>
    </Center>
  );
}
