import { useCallback, useSyncExternalStore } from "react";

export type Theme = "system" | "light" | "dark";
const storage = "bedside.theme";
const listeners = new Set<() => void>();

function read(): Theme {
  try {
    const stored = localStorage.getItem(storage);
    return stored === "light" || stored === "dark" ? stored : "system";
  } catch {
    return "system";
  }
}

/** Puts the chosen theme on the page; called once before the first paint and on each change. */
export function applyTheme(theme: Theme = read()): void {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

export function useTheme(): [Theme, (theme: Theme) => void] {
  const theme = useSyncExternalStore(
    (changed) => {
      listeners.add(changed);
      return () => listeners.delete(changed);
    },
    read,
  );
  const setTheme = useCallback((next: Theme) => {
    try {
      if (next === "system") localStorage.removeItem(storage);
      else localStorage.setItem(storage, next);
    } catch {
      // Kept for this page at least.
    }
    applyTheme(next);
    listeners.forEach((tell) => tell());
  }, []);
  return [theme, setTheme];
}
