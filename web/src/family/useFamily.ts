import { useMemo } from "react";
import { api } from "../api/client";
import type { Appointment, Page, Proxy, ProxyScope } from "../api/types";
import { useResource } from "../api/useResource";
import { useSession } from "../session";

/** Those for whom the signed-in person may do one of `scopes` now; none for others than patients. */
export function useActsFor(...scopes: ProxyScope[]): Proxy[] {
  const { user } = useSession();
  const family = useResource(user?.role === "patient" ? "family" : null, api.family);
  const wanted = scopes.join();
  return useMemo(
    () => (family.data?.acts_for ?? []).filter((each) => each.state === "in_force" && each.scopes.some((scope) => wanted.split(",").includes(scope))),
    [family.data, wanted],
  );
}

/** One's own visits and those of the people one acts for, in one list; the page's cursor is that of one's own. */
export async function familyVisits(query: { from?: string; limit?: number }): Promise<Page<Appointment>> {
  const none = { items: [] as Appointment[], next_cursor: null };
  const theirs = api.family().then(
    (family) => {
      const mine = family.acts_for.filter((each) => each.state === "in_force" && (each.scopes.includes("book") || each.scopes.includes("attend")));
      // Whose authority has just ended drops out of the list, not the list with them.
      return Promise.all(mine.map((each) => api.appointments({ ...query, patient_id: each.patient_id }).catch(() => none)));
    },
    () => [],
  );
  const [own, others] = await Promise.all([api.appointments(query), theirs]);
  return { items: [...own.items, ...others.flatMap((page) => page.items)], next_cursor: own.next_cursor };
}
