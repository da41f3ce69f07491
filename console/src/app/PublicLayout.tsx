import { NavLink, Outlet } from "react-router";
import { boot } from "../../sdk/boot";
import { useRegistry, useViewer } from "../../sdk/registry";
import { allowed, Slot } from "../../sdk/Slot";
import type { MenuEntry } from "../../sdk/types";
import { useT } from "../../sdk/words";
import { Account } from "./Account";
import { Strip } from "./AdminLayout";
import { Brand } from "./Brand";
import { useHost } from "./hostContext";

function Frame({ entries, slot, children }: { entries: MenuEntry[]; slot: string; children: React.ReactNode }) {
  const t = useT();
  const host = useHost();
  const viewer = useViewer();
  const shown = entries.filter((entry) => allowed(entry, viewer.role));
  return (
    <div className="hb-public">
      <a href="#main" className="hb-skip">{t("Skip to content")}</a>
      <header className="hb-public-top">
        <Brand />
        <nav aria-label={t("Main menu")}>{shown.map((entry) => <NavLink key={entry.href} to={entry.href} end={entry.href === "/"}>{t(entry.name)}</NavLink>)}</nav>
        <div style={{ marginLeft: "auto" }}><Account /></div>
      </header>
      <Strip />
      <main id="main" tabIndex={-1}>{children}</main>
      <footer className="hb-public-foot">{host.footer ?? boot.brand.name}</footer>
      <Slot name={slot} />
    </div>
  );
}

/** The plugins' entries with this parent. */
function usePlugged(parent: string): MenuEntry[] {
  const { plugins } = useRegistry();
  return plugins.flatMap((plugin) => plugin.contributions.menu ?? []).filter((entry) => entry.parent === parent);
}

/** The way from the public pages to where somebody belongs. */
function useWayHome(): MenuEntry[] {
  const host = useHost();
  const { role } = useViewer();
  const home = role === "guest" ? undefined : host.home?.[role];
  if (home && home !== "/") return [{ name: role === "admin" ? "Dashboard" : "My account", href: home }];
  return role === "admin" ? [{ name: "Administration", href: "/marketplace" }] : [];
}

/** Pages for everybody. Slot `public.widgets` is on each of them. */
export function PublicLayout() {
  const host = useHost();
  const entries = [...(host.publicMenu ?? []), ...usePlugged("Public"), ...useWayHome()];
  return <Frame entries={entries} slot="public.widgets"><Outlet /></Frame>;
}

/** The customers' area. Plugins' menu entries with the parent "Customer" are in its menu. */
export function CustomerLayout() {
  const host = useHost();
  return <Frame entries={[...(host.customerMenu ?? []), ...usePlugged("Customer")]} slot="customer.widgets"><div className="hb-page"><Outlet /></div></Frame>;
}
