import type { Prescription } from "../api/types";
import { Card } from "../design";
import { useFormat } from "../format/useFormat";
import { useText } from "../i18n";
import { PrescriptionBadge } from "./status";

export function PrescriptionCard({ prescription }: { prescription: Prescription }) {
  const t = useText();
  const format = useFormat();
  return (
    <Card as="article" className="stack-tight">
      <div className="row-apart">
        <h3>{prescription.medication.display}</h3>
        <PrescriptionBadge status={prescription.status} />
      </div>
      <p>{prescription.dosage.text}</p>
      <p className="muted small">
        {t("rx.by", { name: prescription.practitioner_name, date: format.day(prescription.issued_at) })}
        {prescription.refills > 0 ? ` · ${t("rx.refills", { count: prescription.refills })}` : ""}
      </p>
      <p className="rx-code">
        <span className="small muted">{t("rx.code")}</span>
        <strong className="mono">{prescription.code}</strong>
      </p>
    </Card>
  );
}
