import { useState, type FormEvent } from "react";
import { api } from "../api/client";
import { useResource } from "../api/useResource";
import { Badge, Banner, Button, EmptyState, PageHeader, Select, TextField } from "../design";
import { addDays } from "../format/time";
import { useFormat } from "../format/useFormat";
import { useText } from "../i18n";
import { auditWords } from "../parts/audit";
import { save } from "../parts/files";
import { PagedTable } from "../parts/PagedTable";
import { usePrivacy } from "../privacy/text";
import { zoned } from "../parts/zoned";

/** What auditors look for most. */
const actions = [
  "record.read", "record.updated", "patient.read", "consultation.read", "prescription.read", "appointment.read",
  "break_glass.opened", "audit.searched", "session.opened", "person.roles_changed", "person.deactivated", "erasure.carried_out",
];
const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export default function Audit() {
  const t = useText();
  const format = useFormat();
  const privacy = usePrivacy();
  const [form, setForm] = useState({ patient_id: "", actor_id: "", action: "", from: "", to: "" });
  const [query, setQuery] = useState(form);
  const [wrong, setWrong] = useState<{ patient_id?: string; actor_id?: string }>({});
  const words = {
    patient_id: query.patient_id || undefined,
    actor_id: query.actor_id || undefined,
    action: query.action || undefined,
    from: query.from ? zoned(query.from, "00:00", format.zone) : undefined,
    to: query.to ? zoned(addDays(query.to, 1), "00:00", format.zone) : undefined,
  };
  const rows = useResource(`audit ${JSON.stringify(words)}`, () => api.audit(words));
  const search = (event: FormEvent) => {
    event.preventDefault();
    const bad = {
      patient_id: form.patient_id && !ID.test(form.patient_id.trim()) ? t("audit.badId") : undefined,
      actor_id: form.actor_id && !ID.test(form.actor_id.trim()) ? t("audit.badId") : undefined,
    };
    setWrong(bad);
    if (!bad.patient_id && !bad.actor_id) setQuery({ ...form, patient_id: form.patient_id.trim(), actor_id: form.actor_id.trim() });
  };
  const narrow = (change: Partial<typeof form>) => {
    setForm((was) => ({ ...was, ...change }));
    setQuery((was) => ({ ...was, ...change }));
  };
  return (
    <div>
      <PageHeader title={t("audit.title")}>{t("audit.lead")}</PageHeader>
      <div className="stack">
        <ChainStatus />
        <search>
          <form className="filters" onSubmit={search}>
            <TextField label={t("audit.patientId")} value={form.patient_id} onChange={(patient_id) => setForm({ ...form, patient_id })} error={wrong.patient_id} />
            <TextField label={t("audit.actorId")} value={form.actor_id} onChange={(actor_id) => setForm({ ...form, actor_id })} error={wrong.actor_id} />
            <Select
              label={privacy("audit.action")}
              value={form.action}
              onChange={(action) => narrow({ action })}
              options={[{ id: "", label: privacy("audit.anyAction") }, ...actions.map((id) => ({ id, label: auditWords(id) }))]}
            />
            <TextField label={t("common.from")} type="date" value={form.from} onChange={(from) => setForm({ ...form, from })} />
            <TextField label={t("common.to")} type="date" value={form.to} onChange={(to) => setForm({ ...form, to })} />
            <Button type="submit" variant="primary" icon="search">
              {t("common.search")}
            </Button>
          </form>
        </search>
        <PagedTable
          of={rows}
          more={(cursor) => api.audit({ ...words, cursor })}
          caption={t("audit.title")}
          empty={
            <EmptyState icon="eye" title={t("audit.none")}>
              {t("audit.noneText")}
            </EmptyState>
          }
          columns={[
            { id: "time", label: t("common.time"), cell: (row) => <span className="numeric">{format.dayAndClock(row.at)}</span> },
            {
              id: "who",
              label: t("audit.who"),
              cell: (row) =>
                row.actor_id ? (
                  <Button variant="quiet" size="small" onPress={() => narrow({ actor_id: row.actor_id ?? "" })}>
                    {row.actor_name ?? t("common.unknown")}
                  </Button>
                ) : (
                  t("health.system")
                ),
            },
            {
              id: "what",
              label: t("audit.what"),
              cell: (row) => (
                <span className="chips">
                  {auditWords(row.action)}
                  {row.break_glass ? <Badge tone="attention">{privacy("audit.emergency")}</Badge> : null}
                </span>
              ),
            },
            {
              id: "about",
              label: t("audit.about"),
              cell: (row) =>
                row.patient_id ? (
                  <Button variant="quiet" size="small" onPress={() => narrow({ patient_id: row.patient_id ?? "" })}>
                    <span className="mono">{row.patient_id.slice(-12)}</span>
                  </Button>
                ) : (
                  "–"
                ),
            },
            { id: "reason", label: t("common.reason"), cell: (row) => row.reason ?? "–" },
          ]}
        />
      </div>
    </div>
  );
}

/** How far the trail is proved, and a signed word of it to keep where nobody here reaches. */
function ChainStatus() {
  const privacy = usePrivacy();
  const format = useFormat();
  const found = useResource("audit checkpoint", api.auditCheckpoint);
  if (!found.data) return null;
  const { position, made_at, digest } = found.data;
  return (
    <Banner
      tone="good"
      icon="shield"
      action={
        <Button size="small" icon="download" onPress={() => save(new Blob([JSON.stringify(found.data)], { type: "application/json" }), `checkpoint-${position}.json`)}>
          {privacy("audit.checkpoint")}
        </Button>
      }
    >
      {privacy("audit.sealed", { count: String(position), time: format.dayAndClock(made_at) })} <span className="mono">{digest.slice(0, 12)}</span>
    </Banner>
  );
}
