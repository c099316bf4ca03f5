import { useState } from "react";
import { api } from "../api/client";
import type { Person, Role } from "../api/types";
import { ActionButton, Banner, Checkbox, TextField, useErrorText, useToast } from "../design";
import { useText } from "../i18n";
import { usePrivacy } from "./text";

const all: Role[] = ["patient", "practitioner", "desk", "admin", "auditor"];

/** What an administrator changes of one person: roles, the account, a practitioner's licence. */
export function Administer({ person, onChanged }: { person: Person; onChanged: (person: Person) => void }) {
  const t = usePrivacy();
  const common = useText();
  const explain = useErrorText();
  const say = useToast();
  const [roles, setRoles] = useState<Role[]>(person.roles);
  const [failure, setFailure] = useState<string | null>(null);
  const keep = async (act: Promise<Person>) => {
    setFailure(null);
    onChanged(await act);
    say(common("common.saved"));
  };
  const tell = (error: unknown) => setFailure(explain(error));
  return (
    <div className="stack">
      {failure ? <Banner tone="problem">{failure}</Banner> : null}
      <section className="stack" aria-label={t("admin.roles")}>
        <p className="muted">{t("admin.rolesText")}</p>
        <div className="chips">
          {all.map((role) => (
            <Checkbox key={role} isSelected={roles.includes(role)} onChange={(on) => setRoles(on ? [...roles, role] : roles.filter((each) => each !== role))}>
              {common(`role.${role}`)}
            </Checkbox>
          ))}
        </div>
        <div>
          <ActionButton variant="primary" isDisabled={roles.length === 0} act={() => keep(api.setRoles(person.id, roles))} onFailed={tell}>
            {t("admin.save")}
          </ActionButton>
        </div>
      </section>
      {person.licence ? <Licence person={person} keep={keep} tell={tell} /> : null}
      <section className="stack">
        {person.deactivated_at ? null : <p className="muted">{t("admin.closeText", { name: person.name })}</p>}
        <div>
          <ActionButton
            variant={person.deactivated_at ? "plain" : "danger-quiet"}
            act={() => keep(api.setActive(person.id, person.deactivated_at !== null))}
            onFailed={tell}
          >
            {person.deactivated_at ? t("admin.reopen") : t("admin.close")}
          </ActionButton>
        </div>
      </section>
    </div>
  );
}

function Licence({ person, keep, tell }: { person: Person; keep: (act: Promise<Person>) => Promise<void>; tell: (error: unknown) => void }) {
  const t = usePrivacy();
  const licence = person.licence;
  const [verified, setVerified] = useState(licence?.verified ?? false);
  const [published, setPublished] = useState(licence?.published ?? false);
  const [expires, setExpires] = useState(licence?.expires_on ?? "");
  if (!licence) return null;
  return (
    <section className="stack" aria-label={t("admin.licence")}>
      <p className="strong">{t("admin.licenceNumber", { number: licence.number })}</p>
      <TextField label={t("admin.expires")} type="date" value={expires} onChange={setExpires} />
      <Checkbox isSelected={verified} onChange={(on) => {
          setVerified(on);
          if (!on) setPublished(false);
        }}>
        {t("admin.verified")}
      </Checkbox>
      <Checkbox isSelected={published} isDisabled={!verified} onChange={setPublished}>
        {t("admin.published")}
      </Checkbox>
      <div>
        <ActionButton act={() => keep(api.setLicence(person.id, { verified, published, expires_on: expires || null }))} onFailed={tell}>
          {t("admin.licenceSave")}
        </ActionButton>
      </div>
    </section>
  );
}
