import { Button } from "@mantine/core";
import { Navigate, useSearchParams } from "react-router";
import { boot } from "../../sdk/boot";
import { useViewer } from "../../sdk/registry";
import { useT } from "../../sdk/words";
import { Empty } from "../../ui/pieces";

/** For hosts whose login is not a page of the console. */
export function SignIn() {
  const t = useT();
  const viewer = useViewer();
  const [query] = useSearchParams();
  const next = query.get("next") ?? "/";
  // Only paths of this site: anybody can write an address.
  if (viewer.role !== "guest") return <Navigate to={/^\/(?![/\\])/.test(next) ? next : "/"} replace />;
  const action = boot.login ? <Button component="a" href={boot.login}>{t("Log in")}</Button> : null;
  return <Empty icon="LockClosedIcon" title={t("Log in first")} action={action}>{t("Log in to {name}, then come back to this page.", { name: boot.brand.name })}</Empty>;
}
