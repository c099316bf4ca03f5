import { useState } from "react";
import { api } from "../api/client";
import type { Invoice, InvoiceStatus } from "../api/types";
import { useResource } from "../api/useResource";
import { Choices, Confirm, EmptyState, Menu, PageHeader, useErrorText, useToast, type MenuAction } from "../design";
import { useFormat } from "../format/useFormat";
import { useText } from "../i18n";
import { save } from "../parts/files";
import { owed } from "../parts/InvoiceCard";
import { Adjust, ClaimForm, RefundForm } from "../parts/InvoiceForms";
import { PagedTable } from "../parts/PagedTable";
import { InvoiceBadge } from "../parts/status";

const statuses: InvoiceStatus[] = ["due", "pending", "paid", "partly_refunded", "refunded", "void"];

export default function InvoiceBoard() {
  const t = useText();
  const format = useFormat();
  const [status, setStatus] = useState<InvoiceStatus | "all">("all");
  const [open, setOpen] = useState<{ invoice: Invoice; what: "adjust" | "cash" | "refund" | "claim" } | null>(null);
  const query = { status: status === "all" ? undefined : status, limit: 50 };
  const invoices = useResource(`board ${status}`, () => api.invoices(query));
  const close = () => setOpen(null);
  const changed = () => {
    close();
    void invoices.reload();
  };
  return (
    <div>
      <PageHeader title={t("board.title")}>{t("board.lead")}</PageHeader>
      <div className="stack">
        <Choices<InvoiceStatus | "all">
          label={t("common.status")}
          hideLabel
          value={status}
          onChange={setStatus}
          options={[{ id: "all", label: t("common.all") }, ...statuses.map((id) => ({ id, label: t(`invoiceStatus.${id}`) }))]}
        />
        <PagedTable
          of={invoices}
          more={(cursor) => api.invoices({ ...query, cursor })}
          caption={t("board.title")}
          empty={
            <EmptyState icon="card" title={t("board.none")}>
              {t("board.noneText")}
            </EmptyState>
          }
          columns={[
            { id: "number", label: t("invoice.title"), cell: (invoice) => <span className="strong">{invoice.number ?? t("invoice.draft")}</span> },
            { id: "who", label: t("common.practitioner"), cell: (invoice) => invoice.practitioner_name },
            { id: "date", label: t("common.time"), cell: (invoice) => format.day(invoice.issued_at, "short") },
            { id: "status", label: t("common.status"), cell: (invoice) => <InvoiceBadge status={invoice.status} /> },
            { id: "total", label: t("invoice.total"), end: true, cell: (invoice) => format.money(invoice.total) },
            { id: "paid", label: t("invoice.paidSoFar"), end: true, cell: (invoice) => format.money(invoice.paid) },
            { id: "acts", label: t("common.actions"), actions: true, cell: (invoice) => <Acts invoice={invoice} onOpen={(what) => setOpen({ invoice, what })} /> },
          ]}
        />
      </div>
      {open ? (
        <>
          <Adjust invoice={open.invoice} isOpen={open.what === "adjust"} onClose={close} onDone={changed} />
          <RefundForm invoice={open.invoice} isOpen={open.what === "refund"} onClose={close} onDone={changed} />
          <ClaimForm invoice={open.invoice} isOpen={open.what === "claim"} onClose={close} onDone={changed} />
          <Confirm
            title={t("board.cashTitle")}
            isOpen={open.what === "cash"}
            onClose={close}
            action={t("board.cash")}
            act={async () => {
              await api.pay({ invoice_id: open.invoice.id, gateway: "cash" });
              changed();
            }}
          >
            {t("board.cashText", { amount: format.money(owed(open.invoice)) })}
          </Confirm>
        </>
      ) : null}
    </div>
  );
}

function Acts({ invoice, onOpen }: { invoice: Invoice; onOpen: (what: "adjust" | "cash" | "refund" | "claim") => void }) {
  const t = useText();
  const explain = useErrorText();
  const say = useToast();
  const { status } = invoice;
  const actions: MenuAction[] = [];
  if (status === "due") actions.push({ id: "cash", label: t("board.cash"), icon: "wallet", onAction: () => onOpen("cash") });
  if (status === "due" || status === "pending") actions.push({ id: "adjust", label: t("board.adjust"), icon: "settings", onAction: () => onOpen("adjust") });
  if (status === "due") actions.push({ id: "claim", label: t("board.claim"), icon: "shield", onAction: () => onOpen("claim") });
  if (invoice.paid.amount_minor > invoice.refunded.amount_minor) actions.push({ id: "refund", label: t("board.refund"), icon: "back", onAction: () => onOpen("refund") });
  if (invoice.number) {
    actions.push({
      id: "pdf",
      label: t("invoice.pdf"),
      icon: "download",
      onAction: () => void api.invoicePdf(invoice.id).then((pdf) => save(pdf, `${invoice.number ?? "invoice"}.pdf`)).catch((error: unknown) => say(explain(error))),
    });
  }
  if (actions.length === 0) return null;
  return <Menu label={`${t("common.actions")}: ${invoice.number ?? t("invoice.draft")}`} look={{ variant: "plain", size: "small" }} trigger={t("common.actions")} actions={actions} />;
}
