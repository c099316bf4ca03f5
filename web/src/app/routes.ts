import { lazy, type ComponentType, type LazyExoticComponent } from "react";
import type { Role } from "../api/types";

/** `id` is the `:id` of the path, empty where it has none. */
type PageProps = { id: string };
type Entry = { path: string; Page: LazyExoticComponent<ComponentType<PageProps>>; roles?: Role[]; open?: boolean };

const desk: Role[] = ["desk", "admin"];
const staff: Role[] = ["practitioner", ...desk];

/** The pages inside the shell. `open` is for everybody; otherwise one signs in first, and has one of `roles` if given. */
export const routes: Entry[] = [
  { path: "/", open: true, Page: lazy(() => import("../pages/Landing")) },
  { path: "/sign-in", open: true, Page: lazy(() => import("../pages/SignIn")) },
  { path: "/register", open: true, Page: lazy(() => import("../pages/Register")) },
  { path: "/sign-in/return", open: true, Page: lazy(() => import("../account/Return")) },
  { path: "/forgot-password", open: true, Page: lazy(() => import("../account/Forgot")) },
  { path: "/reset-password", open: true, Page: lazy(() => import("../account/Reset")) },
  { path: "/verify", open: true, Page: lazy(() => import("../account/Verify")) },
  { path: "/new-email", open: true, Page: lazy(() => import("../account/NewEmail")) },
  { path: "/old-email", open: true, Page: lazy(() => import("../account/OldEmail")) },
  { path: "/invited", open: true, Page: lazy(() => import("../account/Invited")) },
  { path: "/security", Page: lazy(() => import("../account/Security")) },
  { path: "/find", open: true, Page: lazy(() => import("../pages/Find")) },
  { path: "/book/:id", open: true, Page: lazy(() => import("../pages/Book")) },
  { path: "/visits", roles: ["patient"], Page: lazy(() => import("../pages/Visits")) },
  { path: "/visits/:id", Page: lazy(() => import("../pages/VisitSummary")) },
  { path: "/my-health", roles: ["patient"], Page: lazy(() => import("../pages/Health")) },
  { path: "/invoices", roles: ["patient"], Page: lazy(() => import("../pages/Invoices")) },
  { path: "/notices", Page: lazy(() => import("../pages/Notices")) },
  { path: "/calendar", roles: staff, Page: lazy(() => import("../pages/Calendar")) },
  { path: "/schedule", roles: ["practitioner"], Page: lazy(() => import("../pages/Schedule")) },
  { path: "/schedule/:id", roles: ["desk", "admin"], Page: lazy(() => import("../pages/Schedule")) },
  { path: "/patients/:id", roles: ["practitioner"], Page: lazy(() => import("../pages/Patient")) },
  { path: "/people", roles: desk, Page: lazy(() => import("../pages/People")) },
  { path: "/board/invoices", roles: desk, Page: lazy(() => import("../pages/InvoiceBoard")) },
  { path: "/deliveries", roles: desk, Page: lazy(() => import("../pages/Deliveries")) },
  { path: "/analytics", roles: staff, Page: lazy(() => import("../pages/Analytics")) },
  { path: "/audit", roles: ["auditor", "admin"], Page: lazy(() => import("../pages/Audit")) },
  { path: "/system", roles: ["admin"], Page: lazy(() => import("../pages/System")) },
  { path: "/interpreters", roles: desk, Page: lazy(() => import("../visit/Interpreters")) },
  { path: "/interpreting", Page: lazy(() => import("../visit/Interpreting")) },
  { path: "/mail", Page: lazy(() => import("../pages/Mail")) },
  { path: "/family", roles: ["patient"], Page: lazy(() => import("../family/Family")) },
  { path: "/privacy", Page: lazy(() => import("../privacy/Privacy")) },
  { path: "/profile", Page: lazy(() => import("../pages/Profile")) },
];
