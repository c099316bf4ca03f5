import { useState } from "react";
import { api } from "../api/client";
import type { Person, ProxyKind, ProxyScope } from "../api/types";
import { useResource } from "../api/useResource";
import { ActionButton, Banner, Button, Choices, EmptyState, Loaded, TextField, useErrorText, useToast } from "../design";
import { useText } from "../i18n";
import { PatientPicker } from "../scheduling/PatientPicker";
import { EndProxy } from "./EndProxy";
import { ProxyRow } from "./ProxyRow";
import { ScopeChoices, scopes } from "./Scopes";
import { useFamilyText } from "./text";

const kinds: ProxyKind[] = ["legal", "parent", "carer"];

/** What staff see and record of who acts for a patient. */
export function StaffProxies({ person }: { person: Person }) {
  const t = useFamilyText();
  const explain = useErrorText();
  const say = useToast();
  const [adding, setAdding] = useState(false);
  const found = useResource(`proxies ${person.id}`, () => api.proxies(person.id));
  const reload = () => void found.reload();
  return (
    <div className="stack">
      <Loaded of={found}>
        {({ items }) =>
          items.length === 0 ? (
            <EmptyState icon="people" title={t("staffNone")} />
          ) : (
            <ul className="list">
              {items.map((each) => (
                <ProxyRow key={each.id} proxy={each} about="proxy">
                  {each.state === "ended" ? null : (
                    <>
                      {each.verified_at ? null : (
                        <ActionButton size="small" act={() => api.verifyProxy(each.id).then(reload)} onFailed={(error) => say(explain(error))}>
                          {t("staffVerify")}
                        </ActionButton>
                      )}
                      <EndProxy proxy={each} onEnded={reload} />
                    </>
                  )}
                </ProxyRow>
              ))}
            </ul>
          )
        }
      </Loaded>
      {adding ? (
        <Record
          person={person}
          onDone={() => {
            setAdding(false);
            reload();
          }}
        />
      ) : (
        <div>
          <Button icon="plus" onPress={() => setAdding(true)}>
            {t("staffAdd")}
          </Button>
        </div>
      )}
    </div>
  );
}

function Record({ person, onDone }: { person: Person; onDone: () => void }) {
  const t = useFamilyText();
  const common = useText();
  const explain = useErrorText();
  const [proxy, setProxy] = useState<Person | null>(null);
  const [kind, setKind] = useState<ProxyKind>("legal");
  const [allowed, setAllowed] = useState<ProxyScope[]>(scopes);
  const [until, setUntil] = useState("");
  const [failure, setFailure] = useState<string | null>(null);
  return (
    <section className="stack" aria-label={t("staffAdd")}>
      <p className="muted">{t("staffText")}</p>
      <PatientPicker value={proxy} onChange={setProxy} />
      <Choices label={t("kind")} options={kinds.map((id) => ({ id, label: t(`kind.${id}`) }))} value={kind} onChange={setKind} />
      <ScopeChoices value={allowed} onChange={setAllowed} />
      <TextField label={t("until")} hint={t("untilHint")} type="date" min={new Date().toISOString().slice(0, 10)} value={until} onChange={setUntil} />
      {failure ? <Banner tone="problem">{failure}</Banner> : null}
      <div className="dialog-actions">
        <Button onPress={onDone}>{common("common.close")}</Button>
        <ActionButton
          variant="primary"
          isDisabled={!proxy || allowed.length === 0}
          act={async () => {
            if (!proxy) return;
            setFailure(null);
            await api.recordProxy(person.id, { proxy_id: proxy.id, kind, scopes: allowed, until: until ? new Date(`${until}T23:59:59`).toISOString() : undefined });
            onDone();
          }}
          onFailed={(error) => setFailure(explain(error))}
        >
          {t("staffSave")}
        </ActionButton>
      </div>
    </section>
  );
}
