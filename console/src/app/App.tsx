import { Center, Loader } from "@mantine/core";
import { type ComponentType, type ReactNode, Suspense, useEffect, useMemo } from "react";
import { Navigate, Route, Routes, useLocation, useNavigate } from "react-router";
import { boot } from "../../sdk/boot";
import { Contribution } from "../../sdk/Contribution";
import { install } from "../../sdk/doors";
import { useKnown, useRegistry, useViewer } from "../../sdk/registry";
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
  const viewer = useViewer();
  const { pathname, search } = useLocation();
  useEffect(() => {
    document.title = title ? `${t(title)} · ${boot.brand.name}` : boot.brand.name;
  }, [title, t]);
  if (allowed(access, viewer.role)) return <PageGuard at={pathname}><Suspense fallback={<Waiting />}>{children}</Suspense></PageGuard>;
  if (viewer.role === "guest") return <Navigate to={`/login?next=${encodeURIComponent(pathname + search)}`} replace />;
  return <Missing />;
}

const components = new Map<HostPage["component"], ComponentType>();
const hostPages = new WeakMap<HostPage, Placed>();

/** Made once: the element stays the same, so the page is not rendered anew because a plugin came or went. */
function hostPage(page: HostPage): Placed {
  const known = hostPages.get(page);
  if (known) return known;
  const Found = components.get(page.component) ?? late(page.component);
  components.set(page.component, Found);
  const element = <Gate title={page.title ?? ""} access={page}><Found /></Gate>;
  const made: Placed = { path: page.path, layout: page.layout ?? "admin", element };
  hostPages.set(page, made);
  return made;
}

const pluginPages = new WeakMap<PageEntry, Placed>();

/** Made once for each version: nor does it render anew because of another plugin. */
function pluginPage(plugin: PluginEntry, page: PageEntry): Placed {
  const known = pluginPages.get(page);
  if (known) return known;
  const content = <Contribution plugin={plugin} entry={page} where={{ kind: "page", name: page.path }} waiting={<Waiting />} />;
  const layout = page.layout ?? "admin";
  // A host's public pages reach from edge to edge; a plugin's have the margins of all others.
  const around = layout === "public" ? <div className="hb-page">{content}</div> : content;
  const made: Placed = { path: page.path, layout, element: <Gate title={page.title ?? plugin.name} access={page}>{around}</Gate> };
  pluginPages.set(page, made);
  return made;
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

const ADMIN = <AdminLayout />;
const PUBLIC = <PublicLayout />;
// The same elements at each change of the registry: what is around the pages asks for what it shows of it.
const LAYOUTS: Record<Layout, ReactNode> = { admin: ADMIN, customer: <CustomerLayout />, public: PUBLIC, none: undefined };

/** The whole console: pages in their layouts, the palette, and notes in the corner. */
export function App({ host }: { host: Host }) {
  const known = useKnown();
  const go = useNavigate();
  const pages = usePages(host);
  const viewer = useViewer();
  usePluginsWords();
  useEffect(() => install({ go: (path, options) => void go(path, options) }), [go]);
  const has = (path: string) => pages.some((page) => page.path === path);
  return (
    <HostContext value={host}>
      {known ? (
        <Routes>
          {(Object.keys(LAYOUTS) as Layout[]).map((layout) => {
            const inside = pages.filter((page) => page.layout === layout);
            const routes = inside.map((page) => <Route key={page.path} path={page.path} element={page.element} />);
            return <Route key={layout} element={LAYOUTS[layout]}>{routes}</Route>;
          })}
          {has("/login") ? null : <Route path="/login" element={<SignIn />} />}
          {has("/") ? null : <Route path="/" element={<Navigate to="/marketplace" replace />} />}
          <Route element={viewer.role === "admin" ? ADMIN : PUBLIC}><Route path="*" element={<Missing />} /></Route>
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
