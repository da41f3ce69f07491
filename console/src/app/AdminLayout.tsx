import { AppShell, Burger, Group, ScrollArea } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { Suspense, useEffect, useMemo, useState } from "react";
import { NavLink, Outlet, useLocation } from "react-router";
import { api } from "../../sdk/api";
import { boot } from "../../sdk/boot";
import { useRegistry } from "../../sdk/registry";
import { useEvents, useLink } from "../../sdk/stream";
import type { MenuEntry } from "../../sdk/types";
import { useBallast } from "../../sdk/weight";
import { useT } from "../../sdk/words";
import { Icon } from "../../ui/Icon";
import { Account } from "./Account";
import { Brand } from "./Brand";
import { useHost } from "./hostContext";
import { late } from "./late";
import { sections } from "./menu";
import { openPalette } from "./Palette";

// With its dialogs it is no part of what guests fetch first.
const Unconfirmed = late(async () => ({ default: (await import("../system/Unconfirmed")).Unconfirmed }));
const BADGE_MS = 30_000;

/** The number that an entry's badge asks for; 0 when there is none, or none can be had. */
function useBadge(path: string | null | undefined): number {
  const [count, setCount] = useState(0);
  const [turn, setTurn] = useState(0);
  useEvents("badges", () => setTurn((old) => old + 1));
  useEffect(() => {
    if (!path) return undefined;
    const ask = () => api.get<{ count?: number }>(path.replace(/^GET\s+/, "").replace(boot.api, "")).then((found) => setCount(found.count ?? 0), () => setCount(0));
    void ask();
    const timer = setInterval(() => document.visibilityState === "visible" && void ask(), BADGE_MS);
    return () => clearInterval(timer);
  }, [path, turn]);
  return count;
}

function Entry({ entry }: { entry: MenuEntry }) {
  const t = useT();
  const count = useBadge(entry.badge);
  return (
    <NavLink to={entry.href} className="hb-nav" end={entry.href === "/"}>
      <Icon name={entry.icon ?? null} size={18} />
      <span>{t(entry.name)}</span>
      {count ? <span className="hb-nav-count">{count}</span> : null}
    </NavLink>
  );
}

/** What everybody has to know at once: safe mode, no connection. */
export function Strip() {
  const t = useT();
  const link = useLink();
  const ballast = useBallast();
  if (boot.safeMode) return <div className="hb-strip" role="status">{t("Safe mode: no plugin is loaded. Deactivate or uninstall what is to blame, then start without.")}</div>;
  if (link === "offline") return <div className="hb-strip" role="status">{t("No connection to the server. This page goes on as soon as it is back.")}</div>;
  if (ballast) {
    const size = Math.round(ballast / 1024 / 1024);
    return <div className="hb-strip" role="status">{t("Earlier versions of plugins fill {size} MB of this page.", { size })} <button type="button" onClick={() => location.reload()}>{t("Load it anew")}</button></div>;
  }
  return null;
}

/** The host's, the plugins' and the console's own entries. Of the area around them it alone changes with the registry. */
function Menu() {
  const t = useT();
  const host = useHost();
  const registry = useRegistry();
  const menu = useMemo(() => sections(host, registry), [host, registry]);
  return (
    <nav aria-label={t("Main menu")} style={{ padding: "4px 10px 24px" }}>
      {menu.map(({ name, entries }) => (
        <div key={name}>
          {name ? <div className="hb-section">{t(name)}</div> : null}
          {entries.map((entry) => <Entry key={entry.href + entry.name} entry={entry} />)}
        </div>
      ))}
    </nav>
  );
}

/** The administrators' area: menu at the side, search and account at the top. */
export function AdminLayout() {
  const t = useT();
  const host = useHost();
  const [opened, { toggle, close }] = useDisclosure();
  const { pathname } = useLocation();
  useEffect(close, [pathname]);
  return (
    <AppShell layout="alt" header={{ height: 58 }} navbar={{ width: 244, breakpoint: "sm", collapsed: { mobile: !opened } }}>
      <a href="#main" className="hb-skip">{t("Skip to content")}</a>
      <AppShell.Navbar className="hb-side" withBorder={false}>
        <Group h={58} px={16} justify="space-between"><Brand to={host.home?.admin ?? "/"} /><Burger opened={opened} onClick={toggle} hiddenFrom="sm" size="sm" aria-label={t("Close the menu")} /></Group>
        <ScrollArea style={{ flex: 1 }} type="auto" scrollbarSize={6}>
          <Menu />
        </ScrollArea>
      </AppShell.Navbar>
      <AppShell.Header className="hb-top" withBorder={false}>
        <Group h="100%" px={{ base: "sm", sm: "lg" }} gap="sm" wrap="nowrap">
          <Burger opened={opened} onClick={toggle} hiddenFrom="sm" size="sm" aria-label={t("Open the menu")} />
          <button type="button" className="hb-search" onClick={openPalette}>
            <Icon name="MagnifyingGlassIcon" size={16} />
            <span>{t("Search or jump to …")}</span>
            <kbd>{/Mac/.test(navigator.userAgent) ? "⌘K" : "Ctrl K"}</kbd>
          </button>
          <div style={{ marginLeft: "auto" }}><Account /></div>
        </Group>
      </AppShell.Header>
      <AppShell.Main id="main" tabIndex={-1}><Strip /><Suspense><Unconfirmed /></Suspense><div className="hb-page"><Outlet /></div></AppShell.Main>
    </AppShell>
  );
}
