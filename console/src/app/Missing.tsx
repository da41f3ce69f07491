import { Button, Group } from "@mantine/core";
import { Link, useLocation } from "react-router";
import { useRegistry } from "../../sdk/registry";
import type { ClaimEntry } from "../../sdk/types";
import { useT } from "../../sdk/words";
import { Empty } from "../../ui/pieces";

function fits(claim: ClaimEntry, path: string): boolean {
  const pattern = claim.path.replace(/\/\*$/, "").split("/").map((part) => (part.startsWith(":") ? "[^/]+" : part.replace(/[^\w-]/g, "\\$&"))).join("/");
  return new RegExp(`^${pattern}(/.*)?$`).test(path);
}

/** Where nobody answers: a plugin that is not there says so, and where to get it. */
export function Missing() {
  const t = useT();
  const { pathname } = useLocation();
  const { claims, viewer } = useRegistry();
  const claim = claims.find((one) => fits(one, pathname));
  const admin = viewer.role === "admin";
  if (!claim) {
    const back = <Group><Button component={Link} to="/" variant="default">{t("To the start")}</Button>{viewer.role === "guest" ? <Button component={Link} to={`/login?next=${encodeURIComponent(pathname)}`}>{t("Log in")}</Button> : null}</Group>;
    return <Empty icon="MagnifyingGlassIcon" title={t("There is no such page")} action={back}>{t("The address may be old, or the page needs a login.")}</Empty>;
  }
  const name = claim.name;
  const title = claim.installed ? t("{name} Addon Not Active", { name }) : t("{name} Addon Not Installed", { name });
  const to = claim.installed ? `/plugins/${claim.plugin}` : `/marketplace`;
  const action = admin ? <Button component={Link} to={to}>{claim.installed ? t("Go to the plugin") : t("Go to Marketplace")}</Button> : null;
  return (
    <Empty icon="PuzzlePieceIcon" title={title} action={action}>
      {claim.installed ? t("This page belongs to {name}, which is switched off here.", { name }) : t("This page belongs to {name}, which is not installed here.", { name })}
      {admin ? null : ` ${t("An administrator can change that.")}`}
    </Empty>
  );
}
