import { useMemo } from "react";
import type { Money, Time } from "../api/types";
import { useLanguage, useText } from "../i18n";
import { useSession } from "../session";
import { formatMoney } from "./money";
import { deviceZone, formatClock, formatClockBoth, formatDate, formatDay, formatRelative } from "./time";

/** Formatters bound to the reader's language and time zone. */
export function useFormat() {
  const { locale } = useLanguage();
  const { user } = useSession();
  const t = useText();
  const zone = user?.time_zone || deviceZone();
  return useMemo(
    () => ({
      locale,
      zone,
      money: (money: Money) => formatMoney(money, locale),
      clock: (time: Time) => formatClock(time, locale, zone),
      clockBoth: (time: Time, other?: string) => formatClockBoth(time, locale, zone, other, (clock, city) => t("time.inCity", { clock, city })),
      day: (time: Time, style?: "long" | "short") => formatDay(time, locale, zone, new Date(), style),
      date: (date: string, style?: "long" | "short") => formatDate(date, locale, style),
      dayAndClock: (time: Time) => t("time.dayAt", { day: formatDay(time, locale, zone, new Date(), "short"), clock: formatClock(time, locale, zone) }),
      relative: (time: Time, now: Date = new Date()) => formatRelative(time, locale, now),
      number: (value: number) => new Intl.NumberFormat(locale).format(value),
      compact: (value: number) => new Intl.NumberFormat(locale, { notation: "compact" }).format(value),
      percent: (value: number) => new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 1 }).format(value),
      language: (code: string) => {
        try {
          const name = new Intl.DisplayNames([locale], { type: "language" }).of(code) ?? code;
          return name.charAt(0).toLocaleUpperCase(locale) + name.slice(1);
        } catch {
          return code;
        }
      },
    }),
    [locale, zone, t],
  );
}
