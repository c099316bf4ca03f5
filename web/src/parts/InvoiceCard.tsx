import { useRef, useState } from "react";
import { api } from "../api/client";
import { ApiError, newKey } from "../api/http";
import type { Invoice, Money } from "../api/types";
import { ActionButton, Banner, Card, Dialog, Button, useErrorText, useToast } from "../design";
import { useFormat } from "../format/useFormat";
import { useText } from "../i18n";
import { save } from "./files";
import { InvoiceBadge } from "./status";

/** What the patient still owes. */
export function owed(invoice: Invoice): Money {
  return { currency: invoice.total.currency, amount_minor: Math.max(0, invoice.total.amount_minor - (invoice.covered?.amount_minor ?? 0) - invoice.paid.amount_minor) };
}

export function InvoiceCard({ invoice, onChanged }: { invoice: Invoice; onChanged: () => void }) {
  const t = useText();
  const format = useFormat();
  const explain = useErrorText();
  const say = useToast();
  const [paying, setPaying] = useState(false);
  return (
    <Card as="article" className="stack">
      <div className="row-apart">
        <div>
          <h3>{invoice.practitioner_name}</h3>
          <p className="muted small">
            {invoice.number ? t("invoice.number", { number: invoice.number }) : t("invoice.draft")} · {format.day(invoice.issued_at)}
          </p>
        </div>
        <InvoiceBadge status={invoice.status} />
      </div>
      <dl className="sums">
        {invoice.lines.map((line, index) => (
          <div key={index}>
            <dt>{line.description}</dt>
            <dd className="numeric">{format.money(line.amount)}</dd>
          </div>
        ))}
        {invoice.refunded.amount_minor > 0 ? (
          <div>
            <dt>{t("invoice.refunded")}</dt>
            <dd className="numeric">−{format.money(invoice.refunded)}</dd>
          </div>
        ) : null}
        <div className="sums-total">
          <dt>{t("invoice.total")}</dt>
          <dd className="numeric">{format.money(invoice.total)}</dd>
        </div>
      </dl>
      <div className="row-tight">
        {invoice.status === "due" ? (
          <Button variant="primary" icon="wallet" onPress={() => setPaying(true)}>
            {t("invoice.pay", { amount: format.money(owed(invoice)) })}
          </Button>
        ) : null}
        {invoice.number ? (
          <ActionButton icon="download" act={async () => save(await api.invoicePdf(invoice.id), `${invoice.number ?? "invoice"}.pdf`)} onFailed={(error) => say(explain(error))}>
            {t("invoice.pdf")}
          </ActionButton>
        ) : null}
      </div>
      <Dialog title={t("invoice.payTitle")} isOpen={paying} onClose={() => setPaying(false)}>
        <Pay
          invoice={invoice}
          onDone={(text) => {
            setPaying(false);
            say(text);
            onChanged();
          }}
        />
      </Dialog>
    </Card>
  );
}

function Pay({ invoice, onDone }: { invoice: Invoice; onDone: (text: string) => void }) {
  const t = useText();
  const format = useFormat();
  const explain = useErrorText();
  const [failure, setFailure] = useState<string | null>(null);
  const key = useRef(newKey());
  const amount = format.money(owed(invoice));
  return (
    <>
      <p>{t("invoice.payText", { amount, name: invoice.practitioner_name })}</p>
      {failure ? <Banner tone="problem">{failure}</Banner> : null}
      <div className="dialog-actions">
        <ActionButton
          variant="primary"
          icon="wallet"
          act={async () => {
            setFailure(null);
            const payment = await api.pay({ invoice_id: invoice.id, gateway: "sandbox" }, key.current);
            if (payment.status === "failed" || payment.status === "expired" || payment.status === "cancelled") {
              key.current = newKey();
              throw new ApiError(409, { code: "payment_failed", detail: t("invoice.payFailed") });
            }
            onDone(t(payment.status === "succeeded" ? "invoice.paid" : "invoice.payPending"));
          }}
          onFailed={(error) => {
            // After a lost answer the same key asks for the same payment; after a refusal a new one begins.
            if (error instanceof ApiError && error.status !== 0) key.current = newKey();
            setFailure(explain(error));
          }}
        >
          {t("invoice.pay", { amount })}
        </ActionButton>
      </div>
    </>
  );
}
