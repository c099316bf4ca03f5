import { describe, expect, it } from "vitest";
import { privacyEn } from "../privacy/text/en";
import { privacyFr } from "../privacy/text/fr";
import { schedulingEn } from "../scheduling/text/en";
import { schedulingFr } from "../scheduling/text/fr";
import { accountEn } from "../account/text/en";
import { accountFr } from "../account/text/fr";
import { en } from "./en";
import { fr } from "./fr";
import { translate } from "./index";

const named = (words: Record<string, string>) => Object.fromEntries(Object.entries(words).map(([key, text]) => [`privacy: ${key}`, text]));
const english: Record<string, string> = { ...en, ...schedulingEn, ...accountEn, ...named(privacyEn) };
const french: Record<string, string> = { ...fr, ...schedulingFr, ...accountFr, ...named(privacyFr) };
const holes = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort();

describe("the dictionaries", () => {
  it("have the same keys", () => expect(Object.keys(french).sort()).toEqual(Object.keys(english).sort()));
  it.each(Object.keys(english))("%s is filled, with the same holes", (key) => {
    expect(english[key]?.trim()).toBeTruthy();
    expect(french[key]?.trim()).toBeTruthy();
    expect(holes(french[key] ?? "")).toEqual(holes(english[key] ?? ""));
  });
  it("have both forms of every plural", () => {
    const bases = Object.keys(english).filter((key) => /_(one|other)$/.test(key) && !key.startsWith("invoiceStatus."));
    for (const key of bases) expect(english).toHaveProperty([key.replace(/_(one|other)$/, key.endsWith("_one") ? "_other" : "_one")]);
  });
});

describe("translate", () => {
  const words = { hello: "Hello, {name}", left_one: "{count} day", left_other: "{count} days" };
  it("fills holes and leaves unknown ones", () => {
    expect(translate(words, "en", "hello", { name: "Awa" })).toBe("Hello, Awa");
    expect(translate(words, "en", "hello", {})).toBe("Hello, {name}");
  });
  it("chooses the plural of the language: French counts 0 as one", () => {
    expect(translate(words, "en", "left", { count: 0 })).toBe("0 days");
    expect(translate(words, "fr", "left", { count: 0 })).toBe("0 day");
    expect(translate(words, "en", "left", { count: 1 })).toBe("1 day");
  });
});
