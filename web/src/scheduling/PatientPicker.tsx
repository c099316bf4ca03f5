import { useEffect, useState } from "react";
import { api } from "../api/client";
import type { Person } from "../api/types";
import { useResource } from "../api/useResource";
import { Avatar, Button, TextField } from "../design";
import { useText } from "../i18n";
import { useScheduling } from "./text";
import "./scheduling.css";

const REST_MS = 300;

/** For whom staff act: found by name or email. */
export function PatientPicker({ value, onChange }: { value: Person | null; onChange: (person: Person | null) => void }) {
  const t = useScheduling();
  const common = useText();
  const [typed, setTyped] = useState("");
  const [q, setQ] = useState("");
  useEffect(() => {
    const timer = window.setTimeout(() => setQ(typed.trim()), REST_MS);
    return () => window.clearTimeout(timer);
  }, [typed]);
  const found = useResource(q.length >= 2 && !value ? `patients ${q}` : null, () => api.people({ role: "patient", q, limit: 6 }));
  if (value) {
    return (
      <div className="row-apart">
        <span className="row-tight">
          <Avatar name={value.name} size="small" />
          <span>
            <span className="strong">{value.name}</span> <span className="muted small">{value.email}</span>
          </span>
        </span>
        <Button variant="quiet" size="small" onPress={() => onChange(null)}>
          {t("patient.other")}
        </Button>
      </div>
    );
  }
  return (
    <div className="stack-tight">
      <TextField label={t("patient.who")} hint={t("patient.hint")} type="search" value={typed} onChange={setTyped} />
      {found.data ? (
        found.data.items.length === 0 ? (
          <p className="muted small" role="status">
            {common("people.none")}
          </p>
        ) : (
          <ul className="list picker-list" aria-label={common("people.title")}>
            {found.data.items.map((person) => (
              <li key={person.id}>
                <Button variant="quiet" wide onPress={() => onChange(person)}>
                  <Avatar name={person.name} size="small" />
                  <span className="grow picker-name">
                    {person.name} <span className="muted small">{person.email}</span>
                  </span>
                </Button>
              </li>
            ))}
          </ul>
        )
      ) : null}
    </div>
  );
}
