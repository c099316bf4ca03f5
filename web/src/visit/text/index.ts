/** Words and times of the visit in the person's language. */
import { useMemo } from "react";
import { useLanguage } from "../../i18n";
import { visitEn, type VisitKey, type VisitMessages } from "./en";
import { visitFr } from "./fr";

export type { VisitKey };

const MESSAGES: Record<string, VisitMessages> = { en: visitEn, fr: visitFr };

export interface VisitText {
  (key: VisitKey, values?: Record<string, string | number>): string;
  /** The region's own habits for dates and clocks. */
  locale: string;
  /** A time of day, with its zone when another zone than this device's is asked for. */
  time: (time: string | number, zone?: string) => string;
  /** A length of time in the shortest words that are still true. */
  span: (ms: number) => string;
}

export function visitText(language: string, locale: string = language): VisitText {
  const messages = MESSAGES[language] ?? visitEn;
  const text = ((key, values) => {
    const pattern: string = messages[key];
    return values
      ? pattern.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole))
      : pattern;
  }) as VisitText;
  text.locale = locale;
  text.time = (time, zone) =>
    new Intl.DateTimeFormat(locale, {
      hour: "numeric",
      minute: "2-digit",
      ...(zone && { timeZone: zone, timeZoneName: "short" }),
    }).format(new Date(time));
  text.span = (ms) => {
    const seconds = Math.max(0, Math.floor(ms / 1000));
    if (seconds < 60) return text("time.seconds", { count: seconds });
    const minutes = Math.floor(seconds / 60);
    if (minutes < 60) return text("time.minutes", { count: minutes });
    return text("time.hours", { hours: Math.floor(minutes / 60), minutes: minutes % 60 });
  };
  return text;
}

/** The visit's words in the language of the page. */
export function useVisitText(): VisitText {
  const { language, locale } = useLanguage();
  return useMemo(() => visitText(language, locale), [language, locale]);
}
