import type { AppointmentStatus, InvoiceStatus, Prescription } from "../api/types";
import { Badge, type Tone } from "../design";
import { useText } from "../i18n";

const appointmentTones: Record<AppointmentStatus, Tone> = {
  booked: "accent", arrived: "good", "checked-in": "good", fulfilled: "plain", cancelled: "plain", noshow: "attention", "entered-in-error": "plain",
};
const invoiceTones: Record<InvoiceStatus, Tone> = {
  pending: "plain", due: "attention", paid: "good", partly_refunded: "plain", refunded: "plain", void: "plain",
};

export function AppointmentBadge({ status }: { status: AppointmentStatus }) {
  const t = useText();
  return <Badge tone={appointmentTones[status]}>{t(`status.${status}`)}</Badge>;
}

export function InvoiceBadge({ status }: { status: InvoiceStatus }) {
  const t = useText();
  return <Badge tone={invoiceTones[status]}>{t(`invoiceStatus.${status}`)}</Badge>;
}

export function PrescriptionBadge({ status }: { status: Prescription["status"] }) {
  const t = useText();
  return <Badge tone={status === "active" ? "good" : "plain"}>{t(`rx.${status}`)}</Badge>;
}
