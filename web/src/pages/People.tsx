import { useEffect, useState } from "react";
import { api } from "../api/client";
import type { Person, Role } from "../api/types";
import { useResource } from "../api/useResource";
import { Avatar, Badge, Button, Dialog, EmptyState, PageHeader, Select, TextField } from "../design";
import { StaffProxies } from "../family/StaffProxies";
import { useFamilyText } from "../family/text";
import { useFormat } from "../format/useFormat";
import { useText } from "../i18n";
import { PagedTable } from "../parts/PagedTable";
import { Administer } from "../privacy/Administer";
import { Invitations } from "../privacy/Invitations";
import { usePrivacy } from "../privacy/text";
import { useSession } from "../session";

const roles: Role[] = ["patient", "practitioner", "desk", "admin", "auditor"];
const REST_MS = 300;

export default function People() {
  const t = useText();
  const privacy = usePrivacy();
  const format = useFormat();
  const { user } = useSession();
  const family = useFamilyText();
  const [patient, setPatient] = useState<Person | null>(null);
  const [chosen, setChosen] = useState<Person | null>(null);
  const [typed, setTyped] = useState("");
  const [q, setQ] = useState("");
  const [role, setRole] = useState<Role | "all">("all");
  useEffect(() => {
    const timer = window.setTimeout(() => setQ(typed.trim()), REST_MS);
    return () => window.clearTimeout(timer);
  }, [typed]);
  const query = { q: q || undefined, role: role === "all" ? undefined : role, limit: 50 };
  const people = useResource(`people ${q} ${role}`, () => api.people(query));
  return (
    <div>
      <PageHeader title={t("people.title")}>{t("people.lead")}</PageHeader>
      <div className="stack">
        <search className="filters">
          <TextField label={t("people.search")} type="search" value={typed} onChange={setTyped} />
          <Select<Role | "all">
            label={t("people.role")}
            value={role}
            onChange={setRole}
            options={[{ id: "all", label: t("common.all") }, ...roles.map((id) => ({ id, label: t(`role.${id}`) }))]}
          />
        </search>
        <PagedTable
          of={people}
          more={(cursor) => api.people({ ...query, cursor })}
          caption={t("people.title")}
          empty={
            <EmptyState icon="people" title={t("people.none")}>
              {t("people.noneText")}
            </EmptyState>
          }
          columns={[
            {
              id: "name",
              label: t("common.name"),
              cell: (person) => (
                <span className="row-tight">
                  <Avatar name={person.name} size="small" />
                  <span className="strong">{person.name}</span>
                </span>
              ),
            },
            { id: "email", label: t("common.email"), cell: (person) => <span className="prewrap">{person.email}</span> },
            {
              id: "role",
              label: t("people.role"),
              cell: (person) => (
                <span className="chips">
                  {person.roles.map((each) => (
                    <Badge key={each} tone={each === "patient" ? "plain" : "accent"}>
                      {t(`role.${each}`)}
                    </Badge>
                  ))}
                </span>
              ),
            },
            {
              id: "state",
              label: privacy("admin.state"),
              cell: (person) => (
                <span className="chips">
                  <Badge tone={person.deactivated_at ? "problem" : "good"}>
                    {person.deactivated_at ? privacy("admin.closed", { day: format.day(person.deactivated_at, "short") }) : privacy("admin.active")}
                  </Badge>
                  {person.licence ? (
                    <Badge tone={person.licence.verified ? "plain" : "attention"}>{privacy(person.licence.verified ? "admin.checked" : "admin.unchecked")}</Badge>
                  ) : null}
                </span>
              ),
            },
            { id: "since", label: t("people.since"), cell: (person) => <span className="numeric">{format.day(person.created_at, "short")}</span> },
            {
              id: "family",
              label: family("nav"),
              actions: true,
              cell: (person) =>
                person.roles.includes("patient") ? (
                  <Button size="small" variant="quiet" icon="people" aria-label={`${family("staffTitle")}: ${person.name}`} onPress={() => setPatient(person)}>
                    {family("nav")}
                  </Button>
                ) : null,
            },
            ...(user?.role === "admin"
              ? [
                  {
                    id: "change",
                    label: privacy("admin.change"),
                    actions: true,
                    cell: (person: Person) => (
                      <Button size="small" onPress={() => setChosen(person)}>
                        {privacy("admin.change")}
                      </Button>
                    ),
                  },
                ]
              : []),
          ]}
        />
        {user?.role === "admin" ? <Invitations /> : null}
      </div>
      <Dialog title={patient ? `${family("staffTitle")}: ${patient.name}` : ""} isOpen={patient !== null} onClose={() => setPatient(null)} wide>
        {patient ? <StaffProxies key={patient.id} person={patient} /> : null}
      </Dialog>
      <Dialog title={chosen ? privacy("admin.changeOf", { name: chosen.name }) : ""} isOpen={chosen !== null} onClose={() => setChosen(null)}>
        {chosen ? (
          <Administer
            key={`${chosen.id} ${chosen.roles.join()} ${chosen.deactivated_at ?? ""}`}
            person={chosen}
            onChanged={(person) => {
              setChosen(person);
              void people.reload();
            }}
          />
        ) : null}
      </Dialog>
    </div>
  );
}
