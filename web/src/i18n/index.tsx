import { createContext, useCallback, useContext, useEffect, useMemo, useState, type ReactNode } from "react";
import { I18nProvider as AriaLocale } from "react-aria-components";
import { en } from "./en";
import { fr } from "./fr";

export type Language = "en" | "fr";
export type Params = Record<string, string | number>;
export const languages: { code: Language; name: string }[] = [
  { code: "en", name: "English" },
  { code: "fr", name: "Français" },
];

const rightToLeft = new Set(["ar", "he", "fa", "ur"]);
const storage = "bedside.language";

/** Fills `{name}`; `count` chooses between `key_one` and `key_other` when those exist. */
export function translate(dictionary: Record<string, string>, language: string, key: string, params?: Params): string {
  let text = dictionary[key];
  if (params && typeof params.count === "number") {
    const form = new Intl.PluralRules(language).select(params.count) === "one" ? "one" : "other";
    text = dictionary[`${key}_${form}`] ?? text;
  }
  if (text === undefined) return key;
  return params ? text.replace(/\{(\w+)\}/g, (whole, name: string) => (name in params ? String(params[name]) : whole)) : text;
}

type Plain<K> = K extends `${infer Base}_one` ? Base : K extends `${string}_other` ? never : K;
export type Key = Plain<keyof typeof en & string>;
export type Translate = (key: Key, params?: Params) => string;

type Value = { language: Language; locale: string; setLanguage: (language: Language) => void };
const Context = createContext<Value>({ language: "en", locale: "en", setLanguage: () => undefined });

function firstLanguage(): Language {
  const wanted = [readStored(), ...navigator.languages].map((name) => name?.slice(0, 2));
  return wanted.find((name): name is Language => name === "en" || name === "fr") ?? "en";
}

function readStored(): string | null {
  try {
    return localStorage.getItem(storage);
  } catch {
    return null;
  }
}

/** The region's habits (12 or 24 hours) come from the browser when it speaks the chosen language. */
function localeOf(language: Language): string {
  return navigator.languages.find((name) => name.startsWith(language)) ?? (language === "en" ? "en-GB" : "fr-FR");
}

export function LanguageProvider({ children }: { children: ReactNode }) {
  const [language, choose] = useState<Language>(firstLanguage);
  const locale = localeOf(language);
  useEffect(() => {
    document.documentElement.lang = language;
    document.documentElement.dir = rightToLeft.has(language) ? "rtl" : "ltr";
  }, [language]);
  const setLanguage = useCallback((next: Language) => {
    try {
      localStorage.setItem(storage, next);
    } catch {
      // A browser that keeps nothing still speaks the language until it is closed.
    }
    choose(next);
  }, []);
  const value = useMemo(() => ({ language, locale, setLanguage }), [language, locale, setLanguage]);
  return (
    <Context.Provider value={value}>
      <AriaLocale locale={locale}>{children}</AriaLocale>
    </Context.Provider>
  );
}

export function useLanguage(): Value {
  return useContext(Context);
}

/** `const t = useText(); t("visit.join")`. */
export function useText(): Translate {
  const { language } = useLanguage();
  return useCallback((key, params) => translate(language === "fr" ? fr : en, language, key, params), [language]);
}

/** A part of the application with words of its own: `const useCallText = defineText(en, fr)`. */
export function defineText<D extends Record<string, string>>(english: D, french: Record<keyof D, string>) {
  return function useOwnText(): (key: Plain<keyof D & string>, params?: Params) => string {
    const { language } = useLanguage();
    return useCallback((key, params) => translate(language === "fr" ? french : english, language, key, params), [language]);
  };
}
