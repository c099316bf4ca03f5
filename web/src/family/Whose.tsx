import type { Id, Proxy } from "../api/types";
import { Choices } from "../design";
import { useSession } from "../session";
import { useFamilyText } from "./text";

/** One of oneself and those one acts for; nothing to choose where there is nobody else. */
export function Whose({ label, others, value, onChange }: { label: string; others: Proxy[]; value: Id | null; onChange: (patient: Id | null) => void }) {
  const t = useFamilyText();
  const { user } = useSession();
  if (!user || others.length === 0) return null;
  return (
    <Choices<string>
      label={label}
      options={[{ id: user.id, label: t("myself") }, ...others.map((each) => ({ id: each.patient_id, label: each.patient_name }))]}
      value={value ?? user.id}
      onChange={(id) => onChange(id === user.id ? null : id)}
    />
  );
}
