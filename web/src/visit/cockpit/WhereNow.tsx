import { api } from "../../api/client";
import { useResource } from "../../api/useResource";
import { Badge } from "../../design";
import { countryNames } from "../parts/countries";
import type { VisitText } from "../text";

/** Where the patient is now, whom to call there, and the patient's own number: seen without looking for it. */
export function WhereNow({ visitId, changed, text }: { visitId: string; changed: string; text: VisitText }) {
  const { data } = useResource(`check-in:${visitId}:${changed}`, () => api.checkIn(visitId));
  if (!data) return null;
  if (!data.done) return <p className="v-where v-soft">{text("checkin.none")}</p>;
  return (
    <dl className="v-where" data-testid="where-now">
      <div>
        <dt>{text("checkin.where", { place: data.country ? countryNames(text.locale)(data.country) : "" })}</dt>
        <dd>
          {data.place} {data.licensed_here === false && <Badge tone="attention">{text("checkin.licence")}</Badge>}
        </dd>
      </div>
      {data.callback_phone && (
        <div>
          <dt>{text("checkin.phone")}</dt>
          <dd>
            <a href={`tel:${data.callback_phone}`}>{data.callback_phone}</a>
          </dd>
        </div>
      )}
      {data.emergency_number && (
        <div>
          <dt>{text("checkin.emergency")}</dt>
          <dd>
            <a href={`tel:${data.emergency_number}`}>{data.emergency_number}</a>
          </dd>
        </div>
      )}
    </dl>
  );
}
