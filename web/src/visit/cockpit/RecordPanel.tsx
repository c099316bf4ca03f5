import { api } from "../../api/client";
import type { PatientRecord, RecordEntry } from "../../api/types";
import { useResource } from "../../api/useResource";
import { Badge, Button } from "../../design";
import type { VisitText } from "../text";

/** The patient's record beside the call. Allergies stand first, also when there are none. */
export function RecordPanel({ patientId, text }: { patientId: string; text: VisitText }) {
  const record = useResource(`record:${patientId}`, () => api.record(patientId));
  const { data, error } = record;
  if (error && !data) {
    return (
      <div className="v-empty">
        <p>{text(error.code === "no_care_relation" ? "record.forbidden" : "record.failed")}</p>
        {error.code !== "no_care_relation" && (
          <Button onPress={() => void record.reload()}>{text("visit.tryAgain")}</Button>
        )}
      </div>
    );
  }
  if (!data) return <div className="v-loading" role="status" aria-label={text("visit.loading")} />;
  const { summary } = data;
  return (
    <section className="v-record" aria-label={text("cockpit.record")}>
      <div className="v-allergies" data-some={summary.allergies.length > 0 || undefined}>
        <h3>{text("record.allergies")}</h3>
        <p>{summary.allergies.join(", ") || text("record.noAllergies")}</p>
      </div>
      <Words title={text("record.conditions")} items={summary.conditions} none="–" />
      <Words title={text("record.medications")} items={summary.medications} none="–" />
      {summary.history && (
        <div>
          <h3>{text("record.history")}</h3>
          <p>{summary.history}</p>
        </div>
      )}
      <Earlier record={data} text={text} />
    </section>
  );
}

function Words({ title, items, none }: { title: string; items: string[]; none: string }) {
  return (
    <div>
      <h3>{title}</h3>
      {items.length === 0 ? (
        <p className="v-soft">{none}</p>
      ) : (
        <ul className="v-words">
          {items.map((item) => (
            <li key={item}>{item}</li>
          ))}
        </ul>
      )}
    </div>
  );
}

function Earlier({ record, text }: { record: PatientRecord; text: VisitText }) {
  const day = new Intl.DateTimeFormat(text.locale, { day: "numeric", month: "short", year: "numeric" });
  return (
    <div>
      <h3>{text("record.entries")}</h3>
      {record.entries.length === 0 && <p className="v-soft">{text("record.none")}</p>}
      <ul className="v-entries">
        {record.entries.map((entry) => (
          <li key={entry.id}>
            <p className="v-entry-head">
              <Badge>{text(`record.kind.${entry.kind}`)}</Badge>
              <time dateTime={entry.recorded_at}>{day.format(new Date(entry.recorded_at))}</time>
              <span>{entry.author_name}</span>
            </p>
            <p>{contentOf(entry)}</p>
          </li>
        ))}
      </ul>
    </div>
  );
}

/** The words of an entry, whatever its kind calls them. */
export function contentOf({ content }: RecordEntry): string {
  for (const key of ["summary", "text", "display", "name", "note", "description"]) {
    const value = content[key];
    if (typeof value === "string" && value) return value;
  }
  return Object.values(content)
    .filter((value): value is string | number => typeof value === "string" || typeof value === "number")
    .join(" · ");
}
