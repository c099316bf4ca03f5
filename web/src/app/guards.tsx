import { Component, useEffect, type ReactNode } from "react";
import { useLocation } from "wouter";
import type { Role } from "../api/types";
import { Button, ButtonLink, EmptyState, SkeletonList } from "../design";
import { useText } from "../i18n";
import { useSession } from "../session";
import { homeOf } from "./Shell";

/** Shows a page to those roles alone; strangers are sent to sign in and come back after. The server decides anyway. */
export function Only({ roles, children }: { roles?: Role[]; children: ReactNode }) {
  const t = useText();
  const { status, user } = useSession();
  const [location, go] = useLocation();
  const stranger = status === "anonymous";
  useEffect(() => {
    if (stranger) go(`/sign-in?next=${encodeURIComponent(location + window.location.search)}`, { replace: true });
  }, [stranger, go, location]);
  if (status !== "signed-in" || !user) return <SkeletonList rows={3} />;
  if (roles && !roles.includes(user.role)) {
    return (
      <EmptyState
        icon="lock"
        title={t("app.notForYou")}
        action={
          <ButtonLink href={homeOf(user.role)} variant="primary">
            {t("nav.home")}
          </ButtonLink>
        }
      >
        {t("app.notForYouHint", { role: t(`role.${user.role}`) })}
      </EmptyState>
    );
  }
  return <>{children}</>;
}

type CrashProps = { children: ReactNode; at: string };

/** A page that breaks takes nothing else with it; going elsewhere starts afresh. */
class Boundary extends Component<CrashProps & { message: ReactNode }, { broken: boolean }> {
  override state = { broken: false };
  static getDerivedStateFromError() {
    return { broken: true };
  }
  override componentDidUpdate(before: CrashProps) {
    if (before.at !== this.props.at && this.state.broken) this.setState({ broken: false });
  }
  override render() {
    return this.state.broken ? this.props.message : this.props.children;
  }
}

export function CrashGuard({ children }: { children: ReactNode }) {
  const t = useText();
  const [location] = useLocation();
  const message = (
    <EmptyState
      icon="alert"
      title={t("error.title")}
      action={
        <Button variant="primary" onPress={() => window.location.reload()}>
          {t("app.reload")}
        </Button>
      }
    >
      {t("app.crash")}
    </EmptyState>
  );
  return (
    <Boundary at={location} message={message}>
      {children}
    </Boundary>
  );
}
