import { useState } from "react";
import { api } from "../api/client";
import { useResource } from "../api/useResource";
import { ActionButton, Button, EmptyState, Icon, Loaded } from "../design";
import { useFormat } from "../format/useFormat";
import { useText } from "../i18n";
import { auditWords } from "./audit";

/**
 * Who saw one's record, the newest first. `own`: the reader, whose own looks are called theirs;
 * `first`: how many stand there before more are asked for.
 */
export function RecordAccesses({ own, first = Infinity }: { own: string | undefined; first?: number }) {
  const t = useText();
  const format = useFormat();
  const seen = useResource("record accesses", () => api.recordAccesses());
  const [shown, setShown] = useState(first);
  const who = (id: string | null, name: string | null | undefined) => {
    if (id === null) return t("health.system");
    return id === own ? t("health.you") : (name ?? t("common.unknown"));
  };
  return (
    <Loaded of={seen}>
      {(page) =>
        page.items.length === 0 ? (
          <EmptyState icon="eye" title={t("health.noSeen")} />
        ) : (
          <>
            <ul className="list">
              {page.items.slice(0, shown).map((row) => (
                <li key={row.id} className="list-item">
                  <Icon name={row.break_glass ? "alert" : row.actor_id === own ? "user" : "eye"} />
                  <div className="grow">
                    <p className="strong">{who(row.actor_id, row.actor_name)}</p>
                    <p className="muted small">
                      {auditWords(row.action)}
                      {row.reason ? ` · ${row.reason}` : ""}
                    </p>
                  </div>
                  <span className="muted small end">{format.dayAndClock(row.at)}</span>
                </li>
              ))}
            </ul>
            {shown < page.items.length ? (
              <Button onPress={() => setShown(Infinity)}>{t("common.more")}</Button>
            ) : page.next_cursor ? (
              <ActionButton
                act={async () => {
                  const more = await api.recordAccesses({ cursor: page.next_cursor ?? undefined });
                  seen.setData({ items: [...page.items, ...more.items], next_cursor: more.next_cursor });
                }}
              >
                {t("common.more")}
              </ActionButton>
            ) : null}
          </>
        )
      }
    </Loaded>
  );
}
