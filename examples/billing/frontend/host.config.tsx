import { api, defineHost } from "@hotbay/sdk";
import "./billing.css";
import { GERMAN } from "./de";

export default defineHost({
  home: { admin: "/dashboard", user: "/account" },
  logout: () => api.post("/auth/logout"),
  footer: "Billing · an example host of Hotbay",
  pages: [
    { path: "/", title: "Hosting, domains and mail", layout: "public", component: () => import("./Home") },
    { path: "/login", title: "Log in", layout: "public", component: () => import("./Login") },
    { path: "/dashboard", title: "Dashboard", requireAdmin: true, component: () => import("./Dashboard") },
    { path: "/customers", title: "Customers", requireAdmin: true, component: () => import("./Customers") },
    { path: "/customers/:id", title: "Customer", requireAdmin: true, component: () => import("./Customer") },
    { path: "/products", title: "Products", requireAdmin: true, component: () => import("./Products") },
    { path: "/orders", title: "Orders", requireAdmin: true, component: () => import("./Orders") },
    { path: "/invoices", title: "Invoices", requireAdmin: true, component: () => import("./Invoices") },
    { path: "/payments", title: "Payments", requireAdmin: true, component: () => import("./Payments") },
    { path: "/account", title: "My account", layout: "customer", requireAuth: true, component: () => import("./Account") },
  ],
  menu: [
    { name: "Dashboard", href: "/dashboard", icon: "HomeIcon", order: 10, requireAdmin: true },
    { name: "Customers", href: "/customers", icon: "UsersIcon", order: 20, requireAdmin: true },
    { name: "Products", href: "/products", icon: "CubeIcon", order: 30, requireAdmin: true },
    { name: "Orders", href: "/orders", icon: "ShoppingCartIcon", order: 40, requireAdmin: true },
    { name: "Invoices", href: "/invoices", icon: "DocumentTextIcon", order: 50, requireAdmin: true },
    { name: "Payments", href: "/payments", icon: "BanknotesIcon", order: 60, requireAdmin: true },
  ],
  publicMenu: [{ name: "Products", href: "/" }],
  customerMenu: [
    { name: "Overview", href: "/account" },
    { name: "Products", href: "/" },
  ],
  messages: { de: GERMAN },
});
