import type { RecordEntry } from "../api/types";
import { Badge, Card } from "../design";
import { useFormat } from "../format/useFormat";
import { useText } from "../i18n";

/** The words of an entry, whatever fields it has: those for reading first, then the rest by name. */
export function entryText(content: Record<string, unknown>): string {
  const words: string[] = [];
  const seen = new Set<string>();
  const take = (name: string) => {
    seen.add(name);
    const value = content[name];
    if (typeof value === "string" && value.trim()) words.push(value.trim());
  };
  for (const name of ["text", "display", "name", "summary", "outcome", "substance", "reaction"]) take(name);
  if (content.value !== undefined && content.value !== null) {
    words.push([String(content.value), typeof content.unit === "string" ? content.unit : ""].filter(Boolean).join(" "));
  }
  seen.add("value").add("unit").add("code");
  for (const [name, value] of Object.entries(content)) {
    if (seen.has(name) || value === null || value === "" || typeof value === "object") continue;
    words.push(`${name.replace(/_/g, " ")}: ${String(value)}`);
  }
  return words.join("\n");
}

export function Entries({ entries }: { entries: RecordEntry[] }) {
  const t = useText();
  const format = useFormat();
  return (
    <ol className="timeline">
      {entries.map((entry) => (
        <li key={entry.id} className="timeline-item">
          <Card className="stack-tight">
            <div className="row-apart">
              <Badge tone={entry.kind === "allergy" ? "problem" : entry.kind === "diagnosis" ? "attention" : "accent"}>{t(`kind.${entry.kind}`)}</Badge>
              <span className="muted small">{format.day(entry.recorded_at)}</span>
            </div>
            <p className="prewrap">{entryText(entry.content)}</p>
            <p className="muted small">{entry.author_name}</p>
          </Card>
        </li>
      ))}
    </ol>
  );
}
