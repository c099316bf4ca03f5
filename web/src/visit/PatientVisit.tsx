/** Replaced by the live visit. */
export function PatientVisit(_: { appointmentId: string }) {
  return null;
}
