import type { Money } from "../api/types";

/** How many decimals the currency has: 0 for XOF, 2 for EUR. */
export function currencyDigits(currency: string): number {
  return new Intl.NumberFormat("en", { style: "currency", currency }).resolvedOptions().maximumFractionDigits ?? 2;
}

/** Money as people read it; the amount is in minor units (1000 XOF is 1000 francs, 1000 EUR is 10 euros). */
export function formatMoney(money: Money, locale: string): string {
  const digits = currencyDigits(money.currency);
  return new Intl.NumberFormat(locale, {
    style: "currency",
    currency: money.currency,
    minimumFractionDigits: money.amount_minor % 10 ** digits === 0 ? 0 : digits,
    maximumFractionDigits: digits,
  }).format(money.amount_minor / 10 ** digits);
}

/** Reads what a person typed ("12.50", "12,50", "12 500") into minor units, or null when it is no amount. */
export function parseAmount(text: string, currency: string): number | null {
  const digits = currencyDigits(currency);
  const plain = text.replace(/[\s\u00a0\u202f]/g, "").replace(",", ".");
  const match = /^(\d{1,12})(?:\.(\d+))?$/.exec(plain);
  if (!match) return null;
  const fraction = match[2] ?? "";
  if (fraction.length > digits) return null;
  return Number(match[1]) * 10 ** digits + Number(fraction.padEnd(digits, "0") || "0");
}
