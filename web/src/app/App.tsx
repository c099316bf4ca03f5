import { lazy, Suspense, useEffect, useRef, type ComponentType, type ReactNode } from "react";
import { RouterProvider } from "react-aria-components";
import { Route, Switch, useLocation } from "wouter";
import type { Role } from "../api/types";
import { StepUpProvider } from "../account/StepUp";
import { ButtonLink, EmptyState, SkeletonList, ToastProvider } from "../design";
import { LanguageProvider, useText } from "../i18n";
import { SessionProvider } from "../session";
import { CrashGuard, Only } from "./guards";
import { NoticeProvider } from "./notices";
import { Shell } from "./Shell";
import { routes } from "./routes";

/** Takes a named page of a module as a lazy component. */
function page<M, P>(load: () => Promise<M>, pick: (module: M) => ComponentType<P>) {
  return lazy(async () => ({ default: pick(await load()) }));
}

const PatientVisit = page(() => import("../visit/PatientVisit"), (m) => m.PatientVisit);
const GuestJoin = page(() => import("../visit/GuestJoin"), (m) => m.GuestJoin);
const PracticeDay = page(() => import("../visit/PracticeDay"), (m) => m.PracticeDay);
const Cockpit = page(() => import("../visit/Cockpit"), (m) => m.Cockpit);

const staff: Role[] = ["practitioner", "desk", "admin"];

export function App() {
  const [, go] = useLocation();
  return (
    <RouterProvider navigate={(href) => go(href)}>
      <LanguageProvider>
        <ToastProvider>
          <SessionProvider>
            <StepUpProvider>
              <NoticeProvider>
                <CrashGuard>
                  <Suspense fallback={<div className="page"><SkeletonList rows={3} /></div>}>
                    <Pages />
                  </Suspense>
                </CrashGuard>
              </NoticeProvider>
            </StepUpProvider>
          </SessionProvider>
        </ToastProvider>
      </LanguageProvider>
    </RouterProvider>
  );
}

/** The live visit fills the window; every other page stands in the shell. */
function Pages() {
  return (
    <Switch>
      <Route path="/visit/:appointmentId">
        {({ appointmentId }) => (
          <Only roles={["patient"]}>
            <PatientVisit appointmentId={appointmentId} />
          </Only>
        )}
      </Route>
      <Route path="/cockpit/:appointmentId">
        {({ appointmentId }) => (
          <Only roles={["practitioner"]}>
            <Cockpit appointmentId={appointmentId} />
          </Only>
        )}
      </Route>
      <Route path="/join">
        <GuestJoin />
      </Route>
      <Route>
        <Shell>
          <FocusPage />
          <CrashGuard>
            <Suspense fallback={<SkeletonList rows={3} />}>
              <Switch>
                <Route path="/practice">
                  <Only roles={staff}>
                    <PracticeDay />
                  </Only>
                </Route>
                {routes.map(({ path, roles, open, Page }) => (
                  <Route key={path} path={path}>
                    {(params) => <Guarded roles={roles} open={open}>{<Page id={(params as { id?: string }).id ?? ""} />}</Guarded>}
                  </Route>
                ))}
                <Route>
                  <NotFound />
                </Route>
              </Switch>
            </Suspense>
          </CrashGuard>
        </Shell>
      </Route>
    </Switch>
  );
}

function Guarded({ roles, open, children }: { roles?: Role[]; open?: boolean; children: ReactNode }) {
  return open ? <>{children}</> : <Only roles={roles}>{children}</Only>;
}

/** After going to another page the reading position starts at its top, for eyes and screen readers alike. */
function FocusPage() {
  const [location] = useLocation();
  const first = useRef(true);
  useEffect(() => {
    if (first.current) {
      first.current = false;
      return;
    }
    window.scrollTo(0, 0);
    document.getElementById("page")?.focus({ preventScroll: true });
  }, [location]);
  return null;
}

function NotFound() {
  const t = useText();
  return (
    <EmptyState icon="search" title={t("app.notFound")} action={<ButtonLink href="/">{t("nav.home")}</ButtonLink>}>
      {t("app.notFoundHint")}
    </EmptyState>
  );
}
