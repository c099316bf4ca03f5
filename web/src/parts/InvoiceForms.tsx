import { useRef, useState } from "react";
import { api } from "../api/client";
import { newKey } from "../api/http";
import type { Invoice } from "../api/types";
import { useResource } from "../api/useResource";
import { ActionButton, Badge, Banner, Button, Dialog, Loaded, Select, TextField, useErrorText, useToast } from "../design";
import { currencyDigits, parseAmount } from "../format/money";
import { useFormat } from "../format/useFormat";
import { useText } from "../i18n";

type Props = { invoice: Invoice; isOpen: boolean; onClose: () => void; onDone: () => void };

const plainAmount = (minor: number, currency: string) => (minor / 10 ** currencyDigits(currency)).toFixed(currencyDigits(currency));

export function Adjust({ invoice, isOpen, onClose, onDone }: Props) {
  const t = useText();
  const explain = useErrorText();
  const say = useToast();
  const currency = invoice.total.currency;
  const [lines, setLines] = useState(invoice.lines.map((line, index) => ({ key: index, description: line.description, amount: plainAmount(line.amount.amount_minor, currency) })));
  const [reason, setReason] = useState("");
  const [failure, setFailure] = useState<string | null>(null);
  const next = useRef(invoice.lines.length);
  const change = (key: number, with_: { description?: string; amount?: string }) => setLines((all) => all.map((line) => (line.key === key ? { ...line, ...with_ } : line)));
  const submit = async () => {
    const read = lines.map((line) => ({ description: line.description.trim(), minor: parseAmount(line.amount, currency) }));
    const wrong = read.some((line) => line.minor === null || !line.description) ? t("board.amountWrong", { currency }) : reason.trim() ? null : t("board.whyNeeded");
    setFailure(wrong);
    if (wrong) throw new Error(wrong);
    try {
      await api.adjustInvoice(invoice.id, {
        version: invoice.version,
        reason: reason.trim(),
        lines: read.map((line) => ({ description: line.description, amount: { amount_minor: line.minor ?? 0, currency } })),
      });
    } catch (error) {
      setFailure(explain(error));
      throw error;
    }
    say(t("common.saved"));
    onDone();
  };
  return (
    <Dialog title={t("board.adjustTitle")} isOpen={isOpen} onClose={onClose} wide>
      {lines.map((line, index) => (
        <div key={line.key} className="line-form">
          <TextField label={t("board.line", { number: index + 1 })} value={line.description} onChange={(description) => change(line.key, { description })} maxLength={200} />
          <TextField label={t("board.lineAmount", { number: index + 1, currency })} inputMode="decimal" value={line.amount} onChange={(amount) => change(line.key, { amount })} />
          <Button variant="quiet" icon="close" label={t("board.removeLine", { number: index + 1 })} isDisabled={lines.length === 1} onPress={() => setLines((all) => all.filter((each) => each.key !== line.key))} />
        </div>
      ))}
      <div>
        <Button size="small" icon="plus" onPress={() => setLines((all) => [...all, { key: next.current++, description: "", amount: "" }])}>
          {t("board.addLine")}
        </Button>
      </div>
      <TextField label={t("board.why")} hint={t("board.whyHint")} value={reason} onChange={setReason} maxLength={300} />
      {failure ? <Banner tone="problem">{failure}</Banner> : null}
      <div className="dialog-actions">
        <Button onPress={onClose}>{t("common.keep")}</Button>
        <ActionButton variant="primary" act={submit}>
          {t("common.save")}
        </ActionButton>
      </div>
    </Dialog>
  );
}

export function RefundForm({ invoice, isOpen, onClose, onDone }: Props) {
  const t = useText();
  const explain = useErrorText();
  const say = useToast();
  const currency = invoice.total.currency;
  const payments = useResource(isOpen ? `payments ${invoice.id}` : null, () => api.payments(invoice.id));
  const payment = payments.data?.items.find((each) => each.status === "succeeded");
  const [amount, setAmount] = useState(plainAmount(invoice.paid.amount_minor - invoice.refunded.amount_minor, currency));
  const [reason, setReason] = useState("");
  const [failure, setFailure] = useState<string | null>(null);
  const key = useRef(newKey());
  const submit = async () => {
    const minor = parseAmount(amount, currency);
    const wrong = minor === null || minor === 0 ? t("board.amountWrong", { currency }) : reason.trim() ? null : t("board.whyNeeded");
    setFailure(wrong);
    if (wrong || minor === null || !payment) throw new Error(wrong ?? "no payment");
    try {
      await api.refund(payment.id, { amount: { amount_minor: minor, currency }, reason: reason.trim() }, key.current);
    } catch (error) {
      key.current = newKey();
      setFailure(explain(error));
      throw error;
    }
    say(t("board.refundDone"));
    onDone();
  };
  return (
    <Dialog title={t("board.refundTitle")} isOpen={isOpen} onClose={onClose}>
      <Loaded of={payments}>
        {() =>
          payment ? (
            <>
              <TextField label={t("board.refundAmount", { currency })} inputMode="decimal" value={amount} onChange={setAmount} />
              <TextField label={t("board.why")} hint={t("board.whyHint")} value={reason} onChange={setReason} maxLength={300} />
              {failure ? <Banner tone="problem">{failure}</Banner> : null}
              <div className="dialog-actions">
                <Button onPress={onClose}>{t("common.keep")}</Button>
                <ActionButton variant="danger" act={submit}>
                  {t("board.refund")}
                </ActionButton>
              </div>
            </>
          ) : (
            <p className="muted">{t("board.noPayment")}</p>
          )
        }
      </Loaded>
    </Dialog>
  );
}

export function ClaimForm({ invoice, isOpen, onClose, onDone }: Props) {
  const t = useText();
  const format = useFormat();
  const explain = useErrorText();
  const say = useToast();
  const covers = useResource(isOpen ? `covers ${invoice.patient_id}` : null, () => api.coverages(invoice.patient_id));
  const claims = useResource(isOpen ? `claims ${invoice.id}` : null, () => api.claims(invoice.id));
  const [cover, setCover] = useState<string | null>(null);
  const [insurer, setInsurer] = useState("");
  const [member, setMember] = useState("");
  const [failure, setFailure] = useState<string | null>(null);
  const chosen = cover ?? covers.data?.items[0]?.id ?? null;
  const attempt = async (act: () => Promise<unknown>) => {
    setFailure(null);
    try {
      await act();
    } catch (error) {
      setFailure(explain(error));
      throw error;
    }
  };
  return (
    <Dialog title={t("board.claimTitle")} isOpen={isOpen} onClose={onClose}>
      <Loaded of={covers}>
        {({ items }) =>
          items.length === 0 ? (
            <>
              <p>{t("board.noCover")}</p>
              <TextField label={t("board.insurer")} value={insurer} onChange={setInsurer} />
              <TextField label={t("board.member")} value={member} onChange={setMember} />
              <div className="dialog-actions">
                <ActionButton
                  variant="primary"
                  isDisabled={!insurer.trim() || !member.trim()}
                  act={() => attempt(async () => void (await api.addCoverage({ patient_id: invoice.patient_id, insurer: insurer.trim(), member_number: member.trim() }), await covers.reload()))}
                >
                  {t("board.addCover")}
                </ActionButton>
              </div>
            </>
          ) : (
            <>
              <Select
                label={t("board.claimCover")}
                value={chosen}
                onChange={setCover}
                options={items.map((each) => ({ id: each.id, label: t("board.coverName", { insurer: each.insurer, last4: each.member_number_last4 }) }))}
              />
              <div className="dialog-actions">
                <ActionButton
                  variant="primary"
                  act={() =>
                    attempt(async () => {
                      if (!chosen) return;
                      await api.fileClaim({ invoice_id: invoice.id, coverage_id: chosen });
                      say(t("board.claimSent"));
                      onDone();
                    })
                  }
                >
                  {t("board.claim")}
                </ActionButton>
              </div>
            </>
          )
        }
      </Loaded>
      {failure ? <Banner tone="problem">{failure}</Banner> : null}
      {claims.data && claims.data.items.length > 0 ? (
        <div className="stack-tight">
          <h3>{t("board.claims")}</h3>
          {claims.data.items.map((claim) => (
            <p key={claim.id} className="row-apart">
              <span>{format.dayAndClock(claim.created_at)}</span>
              <Badge tone={claim.status === "approved" ? "good" : claim.status === "rejected" ? "problem" : "attention"}>
                {t(`claimStatus.${claim.status}`)}
                {claim.approved ? ` · ${format.money(claim.approved)}` : ""}
              </Badge>
            </p>
          ))}
        </div>
      ) : null}
    </Dialog>
  );
}
