/** The session of somebody invited: the link's secret works once, this survives a reload of the tab. */
import { http } from "../api/http";
import type { GuestSession } from "../api/types";

export type Guest = GuestSession;

const STORAGE_KEY = "bedside.guest";

/** Keeps until when it is good by this device's own clock, which may differ from the server's. */
export function rememberGuest(guest: Guest): void {
  const until = Date.now() + Date.parse(guest.expires_at) - http.time();
  window.sessionStorage.setItem(STORAGE_KEY, JSON.stringify({ ...guest, until }));
}

export function rememberedGuest(): Guest | null {
  try {
    const kept = JSON.parse(window.sessionStorage.getItem(STORAGE_KEY) ?? "null") as (Guest & { until: number }) | null;
    return kept && kept.until > Date.now() ? kept : null;
  } catch {
    return null;
  }
}
