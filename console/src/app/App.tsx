import { Center, Loader } from "@mantine/core";
import { type ComponentType, type ReactNode, Suspense, useEffect, useMemo } from "react";
import { Navigate, Route, Routes, useLocation, useNavigate } from "react-router";
import { boot } from "../../sdk/boot";
import { Contribution } from "../../sdk/Contribution";
import { install } from "../../sdk/doors";
import { useKnown, useRegistry } from "../../sdk/registry";
import { allowed } from "../../sdk/Slot";
import type { Host, HostPage, Layout, PageEntry, PluginEntry } from "../../sdk/types";
import { addMessages, mark, useT } from "../../sdk/words";
import { AdminLayout } from "./AdminLayout";
import { HostContext } from "./hostContext";
import { late } from "./late";
import { Missing } from "./Missing";
import { PageGuard } from "./PageGuard";
import { Palette } from "./Palette";
import { CustomerLayout, PublicLayout } from "./PublicLayout";
import { SignIn } from "./SignIn";
import { Toasts } from "./Toasts";

const Marketplace = late(() => import("../market/Marketplace"));
const Addon = late(() => import("../market/Addon"));
const Installed = late(() => import("../system/Installed"));
const Plugin = late(() => import("../system/Plugin"));
const Operations = late(() => import("../system/Operations"));
const Operation = late(() => import("../system/Operation"));
const Audit = late(() => import("../system/Audit"));
const Health = late(() => import("../system/Health"));
const Sources = late(() => import("../system/Sources"));

const OWN_PAGES: [string, string, ComponentType][] = [
  ["/marketplace", mark("Marketplace"), Marketplace],
  ["/marketplace/:id", mark("Marketplace"), Addon],
  ["/plugins", mark("Installed"), Installed],
  ["/plugins/:id", mark("Installed"), Plugin],
  ["/operations", mark("Operations"), Operations],
  ["/operations/:number", mark("Operations"), Operation],
  ["/audit", mark("Audit"), Audit],
  ["/health", mark("Health"), Health],
  ["/sources", mark("Sources"), Sources],
];

interface Placed {
  path: string;
  layout: Layout;
  element: ReactNode;
}

function Waiting() {
  return <Center h={320}><Loader size="sm" aria-label="…" /></Center>;
}

/** A page with its title, for those who may see it. */
function Gate({ title, access, children }: { title: string; access: { requireAuth?: boolean; requireAdmin?: boolean }; children: ReactNode }) {
  const t = useT();
  const { viewer } = useRegistry();
  const { pathname, search } = useLocation();
  useEffect(() => {
    document.title = title ? `${t(title)} · ${boot.brand.name}` : boot.brand.name;
  }, [title, t]);
  if (allowed(access, viewer.role)) return <PageGuard at={pathname}><Suspense fallback={<Waiting />}>{children}</Suspense></PageGuard>;
  if (viewer.role === "guest") return <Navigate to={`/login?next=${encodeURIComponent(pathname + search)}`} replace />;
  return <Missing />;
}

const hostPages = new Map<HostPage["component"], ComponentType>();

function hostPage(page: HostPage): Placed {
  const Found = hostPages.get(page.component) ?? late(page.component);
  hostPages.set(page.component, Found);
  const element = <Gate title={page.title ?? ""} access={page}><Found /></Gate>;
  return { path: page.path, layout: page.layout ?? "admin", element };
}

function pluginPage(plugin: PluginEntry, page: PageEntry): Placed {
  const content = <Contribution plugin={plugin} entry={page} where={{ kind: "page", name: page.path }} waiting={<Waiting />} />;
  const layout = page.layout ?? "admin";
  // A host's public pages reach from edge to edge; a plugin's have the margins of all others.
  const around = layout === "public" ? <div className="hb-page">{content}</div> : content;
  return { path: page.path, layout, element: <Gate title={page.title ?? plugin.name} access={page}>{around}</Gate> };
}

const ownPages: Placed[] = OWN_PAGES.map(([path, title, Page]) => ({
  path,
  layout: "admin",
  element: <Gate title={title} access={{ requireAdmin: true }}><Page /></Gate>,
}));

/** All pages there are now. What comes first wins: the host's, the console's own, the plugins'. */
function usePages(host: Host): Placed[] {
  const { plugins } = useRegistry();
  return useMemo(() => {
    const theirs = plugins.flatMap((plugin) => (plugin.contributions.pages ?? []).map((page) => pluginPage(plugin, page)));
    const all = [...(host.pages ?? []).map(hostPage), ...ownPages, ...theirs];
    const seen = new Set<string>();
    return all.filter(({ path }) => !seen.has(path) && seen.add(path));
  }, [host, plugins]);
}

function usePluginsWords() {
  const { plugins } = useRegistry();
  useEffect(() => {
    // Who is not trusted translates what is his own, and no word of others.
    for (const { contributions, trusted } of plugins) if (contributions.messages) addMessages(contributions.messages, trusted === false);
  }, [plugins]);
}

const LAYOUTS: Record<Layout, ComponentType | null> = { admin: AdminLayout, customer: CustomerLayout, public: PublicLayout, none: null };

/** The whole console: pages in their layouts, the palette, and notes in the corner. */
export function App({ host }: { host: Host }) {
  const known = useKnown();
  const go = useNavigate();
  const pages = usePages(host);
  const { viewer } = useRegistry();
  usePluginsWords();
  useEffect(() => install({ go: (path, options) => void go(path, options) }), [go]);
  const Rest = viewer.role === "admin" ? AdminLayout : PublicLayout;
  const has = (path: string) => pages.some((page) => page.path === path);
  return (
    <HostContext value={host}>
      {known ? (
        <Routes>
          {(Object.keys(LAYOUTS) as Layout[]).map((layout) => {
            const Around = LAYOUTS[layout];
            const inside = pages.filter((page) => page.layout === layout);
            const routes = inside.map((page) => <Route key={page.path} path={page.path} element={page.element} />);
            return <Route key={layout} element={Around ? <Around /> : undefined}>{routes}</Route>;
          })}
          {has("/login") ? null : <Route path="/login" element={<SignIn />} />}
          {has("/") ? null : <Route path="/" element={<Navigate to="/marketplace" replace />} />}
          <Route element={<Rest />}><Route path="*" element={<Missing />} /></Route>
        </Routes>
      ) : <Unreached />}
      <Palette />
      <Toasts />
    </HostContext>
  );
}

function Unreached() {
  const t = useT();
  return <Center h="100vh"><div role="status">{t("The server can't be reached. Trying again …")}</div></Center>;
}
