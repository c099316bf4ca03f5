import { api } from "../api/client";
import type { Id } from "../api/types";
import { useResource } from "../api/useResource";
import { Badge } from "../design";
import { useFamilyText } from "./text";

/** Who acts for a patient now, for those who care for them; nothing where nobody does. */
export function ActorsLine({ patient }: { patient: Id }) {
  const t = useFamilyText();
  const found = useResource(`proxies ${patient}`, () => api.proxies(patient));
  const now = (found.data?.items ?? []).filter((each) => each.state === "in_force");
  if (now.length === 0) return null;
  return (
    <p className="chips" aria-label={t("staffTitle")}>
      {now.map((each) => (
        <Badge key={each.id} icon="people">
          {t("for", { name: each.proxy_name, other: each.patient_name })}, {t(`as.${each.kind}`)}
        </Badge>
      ))}
    </p>
  );
}
