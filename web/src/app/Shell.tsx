import type { ReactNode } from "react";
import { Link } from "react-aria-components";
import { useLocation } from "wouter";
import { api } from "../api/client";
import type { Role } from "../api/types";
import { Avatar, Button, ButtonLink, Icon, Menu, useErrorText, useTheme, useToast, type IconName, type MenuAction } from "../design";
import { useLanguage, useText, type Key } from "../i18n";
import { useFamilyText } from "../family/text";
import { usePrivacy } from "../privacy/text";
import { useSession } from "../session";
import { useNotices } from "./notices";
import { OfflineBanner } from "./OfflineBanner";
import "./shell.css";

type Place = { href: string; text: Key; icon: IconName };

const patient: Place[] = [
  { href: "/", text: "nav.home", icon: "home" },
  { href: "/find", text: "nav.find", icon: "search" },
  { href: "/visits", text: "nav.visits", icon: "calendar" },
  { href: "/my-health", text: "nav.health", icon: "heart" },
  { href: "/invoices", text: "nav.invoices", icon: "card" },
];
const practitioner: Place[] = [
  { href: "/practice", text: "nav.practice", icon: "clock" },
  { href: "/calendar", text: "nav.calendar", icon: "calendar" },
  { href: "/schedule", text: "nav.schedule", icon: "settings" },
  { href: "/analytics", text: "nav.analytics", icon: "chart" },
];
const desk: Place[] = [
  { href: "/calendar", text: "nav.calendar", icon: "calendar" },
  { href: "/practice", text: "nav.practice", icon: "clock" },
  { href: "/people", text: "nav.people", icon: "people" },
  { href: "/interpreters", text: "nav.interpreters", icon: "globe" },
  { href: "/board/invoices", text: "nav.invoices", icon: "card" },
  { href: "/deliveries", text: "nav.deliveries", icon: "mail" },
  { href: "/analytics", text: "nav.analytics", icon: "chart" },
];
const admin: Place[] = [
  ...desk.filter((place) => place.href !== "/practice"),
  { href: "/audit", text: "nav.audit", icon: "eye" },
  { href: "/system", text: "nav.health.system", icon: "pulse" },
];
const auditor: Place[] = [{ href: "/audit", text: "nav.audit", icon: "eye" }];
const enrolling: Place[] = [{ href: "/security", text: "nav.security", icon: "shield" }];
const places: Record<Role, Place[]> = { patient, practitioner, desk, admin, auditor, enrolling };

/** How many places fit beside each other at the foot of a phone; the rest is under "More". */
const BAR = 5;

export function homeOf(role: Role): string {
  return { patient: "/", practitioner: "/practice", desk: "/calendar", admin: "/calendar", auditor: "/audit", enrolling: "/security" }[role];
}

export function Shell({ children }: { children: ReactNode }) {
  const t = useText();
  const { user } = useSession();
  const [location] = useLocation();
  const mine = user ? places[user.role] : [];
  const isHere = (href: string) => (href === "/" ? location === "/" : location === href || location.startsWith(`${href}/`));
  const shown = mine.length > BAR ? mine.slice(0, BAR - 1) : mine;
  const hidden = mine.slice(shown.length);
  return (
    <div className={user ? "shell shell-signed-in" : "shell"}>
      <a href="#page" className="skip">
        {t("app.skip")}
      </a>
      <header className="top">
        <Link href={user ? homeOf(user.role) : "/"} className="brand">
          <img src="/icon.svg" alt="" width="32" height="32" />
          Bedside
        </Link>
        <div className="row-tight">{user ? <Account /> : <Stranger />}</div>
      </header>
      {user ? (
        <nav className="side" aria-label={t("nav.main")}>
          {mine.map((place) => (
            <Link key={place.href} href={place.href} className="side-link" aria-current={isHere(place.href) ? "page" : undefined}>
              <Icon name={place.icon} />
              {t(place.text)}
            </Link>
          ))}
        </nav>
      ) : null}
      <main id="page" className="page" tabIndex={-1}>
        <OfflineBanner />
        {children}
      </main>
      {user && mine.length > 1 ? (
        <nav className="bar" aria-label={t("nav.main")}>
          {shown.map((place) => (
            <Link key={place.href} href={place.href} className="bar-link" aria-current={isHere(place.href) ? "page" : undefined}>
              <Icon name={place.icon} size={22} />
              <span>{t(place.text)}</span>
            </Link>
          ))}
          {hidden.length > 0 ? (
            <div className="bar-more">
              <Menu
                label={t("nav.more")}
                trigger={
                  <span className="bar-link">
                    <Icon name="menu" size={22} />
                    <span>{t("nav.more")}</span>
                  </span>
                }
                actions={hidden.map((place) => ({ id: place.href, label: t(place.text), icon: place.icon, href: place.href }))}
              />
            </div>
          ) : null}
        </nav>
      ) : null}
    </div>
  );
}

function Stranger() {
  const t = useText();
  const { language, setLanguage } = useLanguage();
  return (
    <>
      <Button variant="quiet" size="small" onPress={() => setLanguage(language === "en" ? "fr" : "en")}>
        {language === "en" ? "Français" : "English"}
      </Button>
      <ThemeSwitch />
      <ButtonLink href="/sign-in" variant="soft" size="small">
        {t("nav.signIn")}
      </ButtonLink>
    </>
  );
}

function ThemeSwitch() {
  const t = useText();
  const [theme, setTheme] = useTheme();
  const dark = theme === "dark" || (theme === "system" && window.matchMedia("(prefers-color-scheme: dark)").matches);
  return <Button variant="quiet" icon={dark ? "sun" : "moon"} label={t(dark ? "theme.toLight" : "theme.toDark")} onPress={() => setTheme(dark ? "light" : "dark")} />;
}

function Account() {
  const t = useText();
  const privacy = usePrivacy();
  const family = useFamilyText();
  const { user, signOut, accept } = useSession();
  const say = useToast();
  const explain = useErrorText();
  const { unread } = useNotices();
  const [, go] = useLocation();
  if (!user) return null;
  const others = user.role === "enrolling" ? [] : user.roles.filter((role) => role !== user.role);
  const actAs = async (role: Role) => {
    try {
      go(homeOf(accept(await api.actAs(role)).role));
    } catch (error) {
      say(explain(error));
    }
  };
  const actions: MenuAction[] = [
    { id: "profile", label: t("nav.profile"), icon: "user", href: "/profile" },
    { id: "security", label: t("nav.security"), icon: "shield", href: "/security" },
    ...(user.role === "patient" ? [{ id: "family", label: family("nav"), icon: "people", href: "/family" } as MenuAction] : []),
    { id: "privacy", label: privacy("nav"), icon: "lock", href: "/privacy" },
    ...others.map((role): MenuAction => ({ id: `as-${role}`, label: t("nav.actAs", { role: t(`role.${role}`) }), icon: "people", onAction: () => void actAs(role) })),
    "separator",
    { id: "sign-out", label: t("nav.signOut"), icon: "signout", onAction: () => void signOut().finally(() => go("/")) },
  ];
  return (
    <>
      <ThemeSwitch />
      <Link href="/notices" className="button button-quiet button-icon bell" aria-label={unread > 0 ? t("nav.noticesNew", { count: unread }) : t("nav.notices")}>
        <Icon name="bell" />
        {unread > 0 ? (
          <span className="bell-count numeric" aria-hidden="true">
            {unread > 99 ? "99+" : unread}
          </span>
        ) : null}
      </Link>
      <Menu
        label={`${t("nav.account")}: ${user.name}`}
        look={{ variant: "quiet" }}
        trigger={
          <>
            <Avatar name={user.name} size="small" />
            <span className="account-name">{user.name}</span>
          </>
        }
        actions={actions}
      />
    </>
  );
}
