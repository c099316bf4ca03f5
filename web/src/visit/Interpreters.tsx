import { useEffect, useState } from "react";
import { api } from "../api/client";
import type { Interpreter } from "../api/types";
import { useResource } from "../api/useResource";
import { ActionButton, Avatar, Badge, Button, Card, Checkbox, Confirm, Dialog, EmptyState, Loaded, PageHeader, Table, TextField } from "../design";
import { INTERPRETED, languageNames } from "./parts/InterpreterRequest";
import { useVisitText, type VisitText } from "./text";
import "./visit.css";

const REST_MS = 300;
/** Duty changes while one looks. */
const LOOK_EVERY_MS = 15_000;

/** Who may be asked to interpret, in which languages, and whether they have time now. */
export default function Interpreters() {
  const text = useVisitText();
  const nameOf = languageNames(text);
  const list = useResource("interpreters", () => api.interpreters());
  const [changed, setChanged] = useState<Interpreter | null>(null);
  const [removed, setRemoved] = useState<Interpreter | null>(null);
  const [adding, setAdding] = useState(false);
  const { reload } = list;
  useEffect(() => {
    const timer = window.setInterval(() => void reload(), LOOK_EVERY_MS);
    return () => window.clearInterval(timer);
  }, [reload]);
  const add = (
    <Button variant="primary" onPress={() => setAdding(true)}>
      {text("interpreters.add")}
    </Button>
  );
  return (
    <div>
      <PageHeader title={text("interpreters.title")} actions={add}>
        {text("interpreters.lead")}
      </PageHeader>
      <Loaded of={list}>
        {({ items }) => (
          <Card flush>
            {items.length === 0 ? (
              <EmptyState icon="people" title={text("interpreters.none.title")}>
                {text("interpreters.none.body")}
              </EmptyState>
            ) : (
              <Table<Interpreter>
                caption={text("interpreters.title")}
                rows={sorted(items, text.locale)}
                rowKey={(row) => row.person_id}
                columns={[
                  {
                    id: "name",
                    label: text("interpreters.name"),
                    cell: ({ name }) => (
                      <span className="row-tight">
                        <Avatar name={name} size="small" />
                        <span className="strong">{name}</span>
                      </span>
                    ),
                  },
                  {
                    id: "languages",
                    label: text("interpreters.languages"),
                    cell: ({ languages }) => (
                      <span className="chips">
                        {languages.map((code) => (
                          <Badge key={code}>{nameOf(code)}</Badge>
                        ))}
                      </span>
                    ),
                  },
                  {
                    id: "duty",
                    label: text("interpreters.duty"),
                    cell: ({ on_duty }) => (
                      <Badge tone={on_duty ? "good" : "plain"}>{text(on_duty ? "interpreters.on" : "interpreters.off")}</Badge>
                    ),
                  },
                  {
                    id: "change",
                    label: text("interpreters.change"),
                    actions: true,
                    cell: (row) => (
                      <span className="row-tight">
                        <Button size="small" onPress={() => setChanged(row)}>
                          {text("interpreters.change")}
                        </Button>
                        <Button size="small" variant="quiet" onPress={() => setRemoved(row)}>
                          {text("interpreters.remove")}
                        </Button>
                      </span>
                    ),
                  },
                ]}
              />
            )}
          </Card>
        )}
      </Loaded>
      <Dialog
        title={changed ? text("interpreters.of", { name: changed.name }) : text("interpreters.add")}
        isOpen={adding || changed !== null}
        onClose={() => {
          setAdding(false);
          setChanged(null);
        }}
      >
        <Edit
          key={changed?.person_id ?? "new"}
          of={changed}
          text={text}
          onSaved={() => {
            setAdding(false);
            setChanged(null);
            void reload();
          }}
        />
      </Dialog>
      <Confirm
        title={text("interpreters.removeOf", { name: removed?.name ?? "" })}
        isOpen={removed !== null}
        onClose={() => setRemoved(null)}
        action={text("interpreters.remove")}
        danger
        act={async () => {
          if (removed) await api.removeInterpreter(removed.person_id);
          setRemoved(null);
          void reload();
        }}
      >
        <p>{text("interpreters.removeBody")}</p>
      </Confirm>
    </div>
  );
}

/** Those who can be asked now come first. */
function sorted(items: readonly Interpreter[], locale: string): Interpreter[] {
  return [...items].sort((a, b) => Number(b.on_duty) - Number(a.on_duty) || a.name.localeCompare(b.name, locale));
}

/** Somebody's languages; of nobody yet, first who it is. */
function Edit({ of, text, onSaved }: { of: Interpreter | null; text: VisitText; onSaved: () => void }) {
  const nameOf = languageNames(text);
  const [person, setPerson] = useState<{ id: string; name: string } | null>(of && { id: of.person_id, name: of.name });
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set(of?.languages));
  if (!person) return <Find text={text} onFound={setPerson} />;
  const codes = [...new Set([...INTERPRETED, ...chosen])].sort((a, b) => nameOf(a).localeCompare(nameOf(b), text.locale));
  return (
    <div className="stack">
      {!of && <p className="strong">{person.name}</p>}
      <div className="v-languages" role="group" aria-label={text("interpreters.languages")}>
        {codes.map((code) => (
          <Checkbox
            key={code}
            isSelected={chosen.has(code)}
            onChange={(on) => {
              const next = new Set(chosen);
              if (on) next.add(code);
              else next.delete(code);
              setChosen(next);
            }}
          >
            {nameOf(code)}
          </Checkbox>
        ))}
      </div>
      <div className="dialog-actions">
        <ActionButton
          variant="primary"
          isDisabled={chosen.size === 0}
          act={async () => {
            await api.putInterpreter(person.id, [...chosen]);
            onSaved();
          }}
        >
          {text("interpreters.save")}
        </ActionButton>
      </div>
    </div>
  );
}

function Find({ text, onFound }: { text: VisitText; onFound: (person: { id: string; name: string }) => void }) {
  const [typed, setTyped] = useState("");
  const [q, setQ] = useState("");
  useEffect(() => {
    const timer = window.setTimeout(() => setQ(typed.trim()), REST_MS);
    return () => window.clearTimeout(timer);
  }, [typed]);
  const found = useResource(q ? `people ${q}` : null, () => api.people({ q, limit: 8 }));
  return (
    <div className="stack">
      <TextField label={text("interpreters.who")} hint={text("interpreters.whoHint")} type="search" value={typed} onChange={setTyped} />
      {q !== "" && (
        <Loaded of={found}>
          {({ items }) =>
            items.length === 0 ? (
              <p className="v-soft">{text("interpreters.nobody")}</p>
            ) : (
              <ul className="v-found">
                {items.map((person) => (
                  <li key={person.id}>
                    <Button onPress={() => onFound(person)}>
                      {person.name} · {person.email}
                    </Button>
                  </li>
                ))}
              </ul>
            )
          }
        </Loaded>
      )}
    </div>
  );
}
