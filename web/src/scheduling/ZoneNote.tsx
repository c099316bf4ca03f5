import { Icon } from "../design";
import { zoneCity } from "../format/time";
import { useFormat } from "../format/useFormat";
import { useScheduling } from "./text";
import { hoursApart } from "./week";

/** Whose clock is meant; both zones by name when they differ. */
export function ZoneNote({ zone, at }: { zone: string; at: string }) {
  const t = useScheduling();
  const format = useFormat();
  const apart = hoursApart(at, format.zone, zone);
  const own = format.zone.replace(/_/g, " ");
  return (
    <p className="muted small zone-note">
      <Icon name="globe" size={16} />
      <span>
        {apart === 0
          ? t("zone.own", { zone: own })
          : t(apart > 0 ? "zone.ahead" : "zone.behind", { zone: own, theirs: zone.replace(/_/g, " "), city: zoneCity(zone), hours: format.number(Math.abs(apart)) })}
      </span>
    </p>
  );
}
