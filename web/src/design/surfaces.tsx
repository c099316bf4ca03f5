import { useEffect, useState, type ReactNode } from "react";
import { Link, Tab, TabList, TabPanel, Tabs as AriaTabs } from "react-aria-components";
import { ApiError } from "../api/http";
import type { Resource } from "../api/useResource";
import { formatCountdown } from "../format/time";
import { useText } from "../i18n";
import { Button, ButtonLink } from "./Button";
import { useErrorText } from "./errors";
import { Icon, type IconName } from "./icons";

export type Tone = "plain" | "accent" | "good" | "attention" | "problem";
const cx = (...names: (string | false | undefined)[]) => names.filter(Boolean).join(" ");

export function Card({ children, raised, tone, flush, className, as: Tag = "div", labelledBy }: {
  children: ReactNode; raised?: boolean; tone?: "plain" | "accent"; flush?: boolean; className?: string; as?: "div" | "section" | "article" | "li"; labelledBy?: string;
}) {
  return (
    <Tag className={cx("card", raised && "card-raised", tone === "accent" && "card-accent", flush && "card-flush", className)} aria-labelledby={labelledBy}>
      {children}
    </Tag>
  );
}

export function Badge({ children, tone = "plain", icon }: { children: ReactNode; tone?: Tone; icon?: IconName }) {
  return (
    <span className={cx("badge", tone !== "plain" && `badge-${tone}`)}>
      {icon ? <Icon name={icon} size={14} /> : null}
      {children}
    </span>
  );
}

const bannerIcons: Record<Tone, IconName> = { plain: "info", accent: "info", good: "check", attention: "alert", problem: "alert" };

/** Something to know about the whole page. A problem is read out at once. */
export function Banner({ children, tone = "plain", icon, action }: { children: ReactNode; tone?: Tone; icon?: IconName; action?: ReactNode }) {
  return (
    <div className={cx("banner", tone !== "plain" && `banner-${tone}`)} role={tone === "problem" ? "alert" : "status"}>
      <Icon name={icon ?? bannerIcons[tone]} />
      <div className="banner-body">{children}</div>
      {action}
    </div>
  );
}

/** A person's initials on a calm colour that stays theirs. */
export function Avatar({ name, size = "medium" }: { name: string; size?: "small" | "medium" | "large" }) {
  return (
    <span className={cx("avatar", `avatar-${avatarTint(name)}`, size !== "medium" && `avatar-${size}`)} aria-hidden="true">
      {initials(name)}
    </span>
  );
}

const titles = new Set(["dr", "dr.", "prof", "prof.", "mr", "mr.", "mrs", "mrs.", "ms", "ms.", "mme", "m."]);

export function initials(name: string): string {
  const words = name.trim().split(/\s+/).filter((word) => !titles.has(word.toLowerCase()));
  const first = words[0] ?? name;
  const last = words.length > 1 ? (words[words.length - 1] ?? "") : "";
  return ([...first][0] ?? "?").concat([...last][0] ?? "").toLocaleUpperCase();
}

export function avatarTint(name: string): number {
  let sum = 7;
  for (const letter of name) sum = (sum * 31 + (letter.codePointAt(0) ?? 0)) % 9973;
  return sum % 6;
}

export function Skeleton({ shape = "line", className }: { shape?: "line" | "title" | "short" | "circle" | "block"; className?: string }) {
  return <span className={cx("skeleton", shape !== "line" && `skeleton-${shape}`, className)} aria-hidden="true" />;
}

/** The outline of a list while it loads. */
export function SkeletonList({ rows = 4 }: { rows?: number }) {
  const t = useText();
  return (
    <div className="card stack" role="status" aria-label={t("common.loading")}>
      {Array.from({ length: rows }, (_, row) => (
        <div className="row" key={row}>
          <Skeleton shape="circle" />
          <div className="grow stack-tight">
            <Skeleton shape="short" />
            <Skeleton />
          </div>
        </div>
      ))}
    </div>
  );
}

export function EmptyState({ title, children, icon = "spark", action }: { title: string; children?: ReactNode; icon?: IconName; action?: ReactNode }) {
  return (
    <div className="state">
      <span className="state-picture">
        <Icon name={icon} size={28} />
      </span>
      <h3>{title}</h3>
      {children ? <p>{children}</p> : null}
      {action}
    </div>
  );
}

export function ErrorState({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const t = useText();
  const explain = useErrorText();
  const signedOut = error instanceof ApiError && error.status === 401;
  return (
    <div className="state" role="alert">
      <span className="state-picture state-picture-problem">
        <Icon name="alert" size={28} />
      </span>
      <h3>{t("error.title")}</h3>
      <p>{explain(error)}</p>
      {signedOut ? (
        <ButtonLink href="/sign-in" variant="primary">
          {t("nav.signIn")}
        </ButtonLink>
      ) : onRetry ? (
        <Button onPress={onRetry}>{t("common.tryAgain")}</Button>
      ) : null}
      {error instanceof ApiError && error.requestId ? <p className="small">{t("error.reference", { id: error.requestId })}</p> : null}
    </div>
  );
}

/** Shows what loaded, or its loading or error state. */
export function Loaded<T>({ of, loading, children }: { of: Resource<T>; loading?: ReactNode; children: (data: T) => ReactNode }) {
  if (of.data !== undefined) return <>{children(of.data)}</>;
  if (of.error) return <ErrorState error={of.error} onRetry={() => void of.reload()} />;
  return <>{loading ?? <SkeletonList />}</>;
}

export function PageHeader({ title, children, actions, back }: { title: string; children?: ReactNode; actions?: ReactNode; back?: { href: string; label: string } }) {
  useEffect(() => {
    document.title = `${title} · Bedside`;
  }, [title]);
  return (
    <header className="page-header">
      <div>
        {back ? (
          <Link href={back.href} className="page-back">
            <Icon name="back" size={16} />
            {back.label}
          </Link>
        ) : null}
        <h1>{title}</h1>
        {children ? <p>{children}</p> : null}
      </div>
      {actions ? <div className="row-tight">{actions}</div> : null}
    </header>
  );
}

export function Tabs<K extends string>({ label, tabs, selected, onSelect }: {
  label: string; tabs: { id: K; label: ReactNode; content: ReactNode }[]; selected?: K; onSelect?: (id: K) => void;
}) {
  return (
    <AriaTabs selectedKey={selected} onSelectionChange={(key) => onSelect?.(key as K)}>
      <TabList aria-label={label} className="tabs-list">
        {tabs.map((tab) => (
          <Tab key={tab.id} id={tab.id} className="tab">
            {tab.label}
          </Tab>
        ))}
      </TabList>
      {tabs.map((tab) => (
        <TabPanel key={tab.id} id={tab.id} className="tab-panel">
          {tab.content}
        </TabPanel>
      ))}
    </AriaTabs>
  );
}

export type Column<T> = { id: string; label: string; end?: boolean; actions?: boolean; cell: (row: T) => ReactNode };

/** A real table on a wide page; on a phone each row is a small card with its headings. */
export function Table<T>({ caption, columns, rows, rowKey }: { caption: string; columns: Column<T>[]; rows: T[]; rowKey: (row: T) => string }) {
  return (
    <div className="table-scroll">
      <table className="table">
        <caption className="visually-hidden">{caption}</caption>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column.id} scope="col" className={column.end ? "end" : undefined}>
                {column.actions ? <span className="visually-hidden">{column.label}</span> : column.label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={rowKey(row)}>
              {columns.map((column) => (
                <td key={column.id} data-label={column.label} className={cx(column.end && "end numeric", column.actions && "table-actions")}>
                  {column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** The present moment, renewed every `every` milliseconds. */
export function useNow(every = 30_000): Date {
  const [now, setNow] = useState(() => new Date());
  useEffect(() => {
    const timer = window.setInterval(() => setNow(new Date()), every);
    return () => window.clearInterval(timer);
  }, [every]);
  return now;
}

/** Time left until a moment, by the second; calls `onEnd` once when it is reached. */
export function Countdown({ until, onEnd }: { until: string; onEnd?: () => void }) {
  const now = useNow(1000);
  const left = Math.max(0, Math.ceil((Date.parse(until) - now.getTime()) / 1000));
  const ended = left === 0;
  useEffect(() => {
    if (ended) onEnd?.();
    // Only the moment of reaching zero counts, not a new callback.
  }, [ended]);
  return (
    <span className="numeric" role="timer">
      {formatCountdown(left)}
    </span>
  );
}

/** Whether a media query holds now. */
export function useMedia(query: string): boolean {
  const [holds, setHolds] = useState(() => window.matchMedia(query).matches);
  useEffect(() => {
    const list = window.matchMedia(query);
    const hear = () => setHolds(list.matches);
    hear();
    list.addEventListener("change", hear);
    return () => list.removeEventListener("change", hear);
  }, [query]);
  return holds;
}
