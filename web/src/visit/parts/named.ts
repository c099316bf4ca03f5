import type { VisitText } from "../text";

/** Who somebody is to the others: their name, and for whom they are here when it is not for themselves. */
export function named(who: { name: string; for_name?: string | null }, text: VisitText): string {
  return who.for_name ? text("visit.actsFor", { name: who.name, other: who.for_name }) : who.name;
}
