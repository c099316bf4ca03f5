import type { Appointment } from "../api/types";

/** Hands a file to the person. */
export function save(blob: Blob, name: string): void {
  const address = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

const stamp = (time: string | Date) => new Date(time).toISOString().replace(/[-:]|\.\d{3}/g, "");
const escape = (text: string) => text.replace(/[\\;,]/g, (sign) => `\\${sign}`).replace(/\n/g, "\\n");

/** One appointment as an iCalendar file (RFC 5545): the same entry as in its mails and feed, which replace it. */
export function calendarFile(appointment: Appointment, title: string, now: Date, origin: string): Blob {
  const lines = [
    "BEGIN:VCALENDAR",
    "VERSION:2.0",
    "PRODID:-//Bedside//Visits//EN",
    "BEGIN:VEVENT",
    `UID:${appointment.id}@visits.bedside`,
    `SEQUENCE:${appointment.version}`,
    `DTSTAMP:${stamp(now)}`,
    `DTSTART:${stamp(appointment.start)}`,
    `DTEND:${stamp(appointment.end)}`,
    `SUMMARY:${escape(title)}`,
    `URL:${origin}/visit/${appointment.id}`,
    "END:VEVENT",
    "END:VCALENDAR",
  ];
  return new Blob([lines.join("\r\n") + "\r\n"], { type: "text/calendar" });
}
