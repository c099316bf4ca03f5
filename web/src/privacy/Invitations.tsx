import { useState, type FormEvent } from "react";
import { isNotProved } from "../account/StepUp";
import { api } from "../api/client";
import { ApiError } from "../api/http";
import type { NewStaffInvitation, Page, StaffInvitation, StaffRole } from "../api/types";
import { useResource, type Resource } from "../api/useResource";
import { ActionButton, Badge, Banner, Button, Card, Dialog, EmptyState, Icon, Loaded, Select, TextField, useErrorText, useToast } from "../design";
import { useFormat } from "../format/useFormat";
import { parseAmount } from "../format/money";
import { useLanguage, useText } from "../i18n";
import { specialtyName } from "../parts/visits";
import { usePrivacy } from "./text";
import "./privacy.css";

const ROLES: StaffRole[] = ["practitioner", "desk", "admin", "auditor"];
const SPECIALTIES = [
  "general-practice", "paediatrics", "dermatology", "cardiology", "gynaecology", "psychiatry", "psychology", "endocrinology", "neurology",
  "ophthalmology", "orthopaedics", "ear-nose-throat", "pneumology", "urology", "gastroenterology", "internal-medicine", "midwifery", "nursing", "nutrition",
];
const TONE = { open: "accent", accepted: "good", revoked: "plain", expired: "attention" } as const;
const CURRENCIES = ["XOF", "XAF", "GNF", "EUR", "USD"] as const;
type Currency = (typeof CURRENCIES)[number];

/** Who was invited to work here, and inviting somebody. */
export function Invitations() {
  const t = usePrivacy();
  const common = useText();
  const format = useFormat();
  const explain = useErrorText();
  const say = useToast();
  const invitations = useResource("staff invitations", () => api.staffInvitations({ limit: 20 }));
  const [inviting, setInviting] = useState(false);
  return (
    <Card as="section" className="stack" labelledBy="invitations">
      <div className="row-apart">
        <div>
          <h2 id="invitations">{t("invite.title")}</h2>
          <p className="muted">{t("invite.text")}</p>
        </div>
        <Button variant="primary" icon="plus" onPress={() => setInviting(true)}>
          {t("invite.act")}
        </Button>
      </div>
      <Loaded of={invitations}>
        {({ items }) =>
          items.length === 0 ? (
            <EmptyState icon="mail" title={t("invite.none")} />
          ) : (
            <ul className="list">
              {items.map((each) => (
                <li key={each.id} className="list-item roomy-item" data-testid="staff-invitation">
                  <Icon name="mail" />
                  <div className="grow">
                    <p>
                      <span className="strong">{each.name}</span> · {common(`role.${each.role}`)}
                    </p>
                    <p className="muted small prewrap">
                      {each.email}
                      {each.state === "open" ? ` · ${t("invite.until", { time: format.dayAndClock(each.expires_at) })}` : ""}
                    </p>
                  </div>
                  <Badge tone={TONE[each.state]}>{t(`invite.${each.state}`)}</Badge>
                  {each.state === "open" ? (
                    <ActionButton
                      size="small"
                      aria-label={`${t("invite.revoke")}: ${each.name}`}
                      act={async () => {
                        await api.revokeStaffInvitation(each.id);
                        await invitations.reload();
                      }}
                      onFailed={(error) => say(explain(error))}
                    >
                      {t("invite.revoke")}
                    </ActionButton>
                  ) : null}
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
      <Dialog title={t("invite.act")} isOpen={inviting} onClose={() => setInviting(false)}>
        {inviting ? <Form invitations={invitations} onDone={() => setInviting(false)} /> : null}
      </Dialog>
    </Card>
  );
}

function Form({ invitations, onDone }: { invitations: Resource<Page<StaffInvitation>>; onDone: () => void }) {
  const t = usePrivacy();
  const common = useText();
  const explain = useErrorText();
  const say = useToast();
  const { language } = useLanguage();
  const [email, setEmail] = useState("");
  const [name, setName] = useState("");
  const [role, setRole] = useState<StaffRole>("practitioner");
  const [title, setTitle] = useState("");
  const [specialty, setSpecialty] = useState("general-practice");
  const [licence, setLicence] = useState("");
  const [fee, setFee] = useState("");
  const [currency, setCurrency] = useState<Currency>("XOF");
  const [place, setPlace] = useState("");
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);
  const [wrong, setWrong] = useState<{ email?: string; fee?: string }>({});
  const practitioner = role === "practitioner";

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const amount = practitioner ? parseAmount(fee.trim(), currency) : 0;
    const found = {
      email: /^\S+@\S+$/.test(email.trim()) ? undefined : t("invite.emailWrong"),
      fee: amount === null ? t("invite.feeWrong") : undefined,
    };
    setWrong(found);
    setFailure(null);
    if (found.email || amount === null) return;
    const input: NewStaffInvitation = { email: email.trim(), name: name.trim(), role, language };
    if (practitioner)
      input.practitioner = {
        title: title.trim(),
        specialties: [specialty],
        languages: [language],
        licence_number: licence.trim(),
        fee_minor: amount,
        currency,
        location: place.trim(),
      };
    setBusy(true);
    try {
      await api.inviteStaff(input);
      say(t("invite.sent", { email: input.email }));
      await invitations.reload();
      onDone();
    } catch (error) {
      const field = error instanceof ApiError ? error.errors.find((each) => each.field === "email") : undefined;
      if (field) setWrong({ email: t("invite.emailWrong") });
      else if (!isNotProved(error)) setFailure(explain(error));
      setBusy(false);
    }
  };

  const missing = !email.trim() || !name.trim() || (practitioner && (!licence.trim() || !place.trim()));
  return (
    <form className="stack" onSubmit={(event) => void submit(event)} noValidate>
      <TextField label={common("common.name")} value={name} onChange={setName} maxLength={200} isRequired autoFocus />
      <TextField label={common("common.email")} type="email" value={email} onChange={setEmail} error={wrong.email} isRequired />
      <Select label={common("people.role")} value={role} onChange={setRole} options={ROLES.map((id) => ({ id, label: common(`role.${id}`) }))} />
      {practitioner ? (
        <>
          <p className="muted">{t("invite.practitioner")}</p>
          <TextField label={t("invite.titleWord")} hint={t("invite.titleHint")} value={title} onChange={setTitle} maxLength={60} />
          <Select label={common("find.specialty")} value={specialty} onChange={setSpecialty} options={SPECIALTIES.map((id) => ({ id, label: specialtyName(id) }))} />
          <TextField label={t("invite.licence")} value={licence} onChange={setLicence} maxLength={60} isRequired />
          <TextField
            label={t("invite.fee")}
            inputMode="decimal"
            value={fee}
            onChange={(value) => {
              setFee(value);
              setWrong((was) => ({ ...was, fee: undefined }));
            }}
            error={wrong.fee}
            isRequired
          />
          <Select<Currency> label={t("invite.currency")} value={currency} onChange={setCurrency} options={CURRENCIES.map((id) => ({ id, label: id }))} />
          <TextField label={t("invite.place")} hint={t("invite.placeHint")} value={place} onChange={setPlace} maxLength={120} isRequired />
        </>
      ) : null}
      {failure ? <Banner tone="problem">{failure}</Banner> : null}
      <div className="dialog-actions">
        <Button type="submit" variant="primary" state={busy ? "busy" : "idle"} isDisabled={missing}>
          {t("invite.send")}
        </Button>
      </div>
    </form>
  );
}
