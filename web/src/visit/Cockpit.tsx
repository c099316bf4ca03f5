/** Replaced by the live visit. */
export function Cockpit(_: { appointmentId: string }) {
  return null;
}
