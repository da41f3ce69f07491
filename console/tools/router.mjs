// What plugins and hosts may take of react-router: what works below the console's `BrowserRouter`.
//
// The rest (data routers, servers' rendering, React's server components) is a third of it, fetched by every visitor, and
// would fail at runtime: nothing there is in use.
export const ROUTER = [
  "Link", "NavLink", "Navigate", "Outlet", "Route", "Routes",
  "useHref", "useInRouterContext", "useLinkClickHandler", "useLocation", "useMatch", "useNavigate", "useNavigationType",
  "useOutlet", "useOutletContext", "useParams", "useResolvedPath", "useRoutes", "useSearchParams", "useBeforeUnload",
  "NavigationType", "createPath", "createRoutesFromChildren", "createRoutesFromElements", "createSearchParams", "generatePath",
  "matchPath", "matchRoutes", "parsePath", "renderMatches", "resolvePath",
];
