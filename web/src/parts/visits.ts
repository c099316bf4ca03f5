import type { Appointment, Provider } from "../api/types";

const open = new Set(["booked", "arrived", "checked-in"]);

/** Whether the visit is still to come or under way. */
export function isComing(appointment: Appointment, now: Date): boolean {
  return open.has(appointment.status) && Date.parse(appointment.visit_closes_at) > now.getTime();
}

/** Whether its waiting room is open now. */
export function isOpen(appointment: Appointment, now: Date): boolean {
  return isComing(appointment, now) && Date.parse(appointment.visit_opens_at) <= now.getTime();
}

/** "Dr Awa Diop". */
export function titled(provider: Pick<Provider, "name" | "title">): string {
  return provider.title ? `${provider.title} ${provider.name}` : provider.name;
}

/** "General practice" for "general-practice", for the moment before the names are here. */
export function specialtyName(code: string): string {
  const words = code.replace(/[-_]/g, " ");
  return words.charAt(0).toLocaleUpperCase() + words.slice(1);
}
