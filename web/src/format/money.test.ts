import { describe, expect, it } from "vitest";
import { formatMoney, parseAmount } from "./money";

const plain = (text: string) => text.replace(/[\u00a0\u202f]/g, " ");

describe("money", () => {
  it("knows that XOF has no minor unit", () => {
    expect(plain(formatMoney({ amount_minor: 15000, currency: "XOF" }, "fr-FR"))).toBe("15 000 F CFA");
  });
  it("shows decimals only when there are some", () => {
    expect(formatMoney({ amount_minor: 4500, currency: "EUR" }, "en-GB")).toBe("€45");
    expect(formatMoney({ amount_minor: 4550, currency: "EUR" }, "en-GB")).toBe("€45.50");
  });
});

describe("typed amounts", () => {
  it.each([
    ["12.50", "EUR", 1250],
    ["12,5", "EUR", 1250],
    ["12 500", "XOF", 12500],
    ["0", "EUR", 0],
  ])("%s %s is %i", (text, currency, minor) => expect(parseAmount(text, currency)).toBe(minor));
  it.each([
    ["", "EUR"],
    ["12.345", "EUR"],
    ["12.5", "XOF"],
    ["-3", "EUR"],
    ["1e3", "EUR"],
    ["abc", "EUR"],
  ])("%j %s is no amount", (text, currency) => expect(parseAmount(text, currency)).toBeNull());
});
