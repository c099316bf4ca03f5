/** "appointment.read" as "Appointment: read", "record_entry.added" as "Record entry: added". */
export function auditWords(action: string): string {
  const [what = "", ...rest] = action.split(".");
  const words = what.replace(/[_-]/g, " ");
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}: ${rest.join(" ").replace(/[_-]/g, " ")}`;
}
