"""All SQL of billing. Each method runs in the caller's transaction. Locks are taken invoice first, then payment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import asyncpg

from billing.errors import IdempotencyKeyTaken, InvoiceNotClaimable, InvoiceNotPayable
from billing.ledger import Entry
from billing.lifecycle import ClaimStatus, PaymentStatus, RefundStatus
from billing.models import Claim, Coverage, Invoice, InvoiceFilter, Payment, Refund
from core.database import Row, Transaction
from core.ids import uuid7

T = TypeVar("T", Invoice, Payment, Refund, Coverage, Claim)


def _columns(kind: type[Any]) -> str:
    return ", ".join(each.name for each in fields(kind))


INVOICE, PAYMENT, REFUND = _columns(Invoice), _columns(Payment), _columns(Refund)
COVERAGE, CLAIM = _columns(Coverage), _columns(Claim)
INVOICE_TYPES = (
    *("uuid", "text", "text", "uuid", "uuid", "uuid", "bytea", "text", "bigint", "bigint", "bigint", "bigint"),
    *("timestamptz", "timestamptz", "integer"),
)


def _as(kind: type[T], row: Row | None) -> T | None:
    return None if row is None else kind(**dict(row.items()))


def _all(kind: type[T], rows: Sequence[Row]) -> list[T]:
    return [kind(**dict(row.items())) for row in rows]


def _one(kind: type[T], row: Row | None) -> T:
    assert row is not None
    return kind(**dict(row.items()))


def _values(row: T) -> list[Any]:
    return [getattr(row, each.name) for each in fields(row)]


def _places(count: int) -> str:
    return ", ".join(f"${number}" for number in range(1, count + 1))


class Repository:
    # Invoices

    async def insert_invoices(self, tx: Transaction, invoices: Sequence[Invoice]) -> set[UUID]:
        """Which were written: an appointment that has one already keeps it."""
        columns = [list(column) for column in zip(*map(_values, invoices), strict=True)]
        places = ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(INVOICE_TYPES, 1))
        rows = await tx.fetch(
            f"INSERT INTO invoices ({INVOICE}) SELECT * FROM unnest({places}) "
            "ON CONFLICT (appointment_id) DO NOTHING RETURNING id",
            *columns,
        )
        return {row["id"] for row in rows}

    async def invoice(self, tx: Transaction, invoice_id: UUID, *, lock: bool = False) -> Invoice | None:
        suffix = " FOR UPDATE" if lock else ""
        return _as(Invoice, await tx.fetchrow(f"SELECT {INVOICE} FROM invoices WHERE id = $1{suffix}", invoice_id))

    async def invoice_of(self, tx: Transaction, appointment_id: UUID, *, lock: bool = False) -> Invoice | None:
        suffix = " FOR UPDATE" if lock else ""
        row = await tx.fetchrow(f"SELECT {INVOICE} FROM invoices WHERE appointment_id = $1{suffix}", appointment_id)
        return _as(Invoice, row)

    async def save_invoice(self, tx: Transaction, invoice: Invoice) -> Invoice:
        """Write a locked invoice back; its version counts on."""
        row = await tx.fetchrow(
            "UPDATE invoices SET number = $2, status = $3, lines = $4, total_minor = $5, covered_minor = $6, "
            "paid_minor = $7, refunded_minor = $8, issued_at = $9, due_at = $10, version = version + 1 WHERE id = $1 "
            f"RETURNING {INVOICE}",
            invoice.id,
            invoice.number,
            invoice.status,
            invoice.lines,
            invoice.total_minor,
            invoice.covered_minor,
            invoice.paid_minor,
            invoice.refunded_minor,
            invoice.issued_at,
            invoice.due_at,
        )
        return _one(Invoice, row)

    async def next_number(self, tx: Transaction, series: str) -> int:
        """The next number of a series. The row stays locked until the commit, so numbers have no gaps."""
        number = await tx.fetchval(
            "INSERT INTO invoice_numbers AS n (series, last) VALUES ($1, 1) "
            "ON CONFLICT (series) DO UPDATE SET last = n.last + 1 RETURNING last",
            series,
        )
        return int(number)

    async def search_invoices(self, tx: Transaction, wanted: InvoiceFilter) -> list[Invoice]:
        """Newest first; ids are UUIDv7, so their order is the order of time."""
        rows = await tx.fetch(
            f"SELECT {INVOICE} FROM invoices WHERE ($1::uuid IS NULL OR patient_id = $1) "
            "AND ($2::uuid IS NULL OR practitioner_id = $2) AND ($3::uuid IS NULL OR appointment_id = $3) "
            "AND ($4::text IS NULL OR status = $4) AND ($5::uuid IS NULL OR id < $5) ORDER BY id DESC LIMIT $6",
            wanted.patient_id,
            wanted.practitioner_id,
            wanted.appointment_id,
            wanted.status,
            wanted.before,
            wanted.limit,
        )
        return _all(Invoice, rows)

    async def insert_adjustment(
        self, tx: Transaction, before: Invoice, reason: bytes, adjusted_by: UUID, now: datetime
    ) -> None:
        await tx.execute(
            "INSERT INTO invoice_adjustments (invoice_id, version, lines_before, total_before, reason, adjusted_by, "
            "adjusted_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            before.id,
            before.version,
            before.lines,
            before.total_minor,
            reason,
            adjusted_by,
            now,
        )

    async def enter(self, tx: Transaction, entry: Entry, now: datetime) -> None:
        """Append a ledger entry; PostgreSQL checks at commit that it balances."""
        if not entry.postings:
            return
        entry_id = uuid7()
        await tx.execute(
            "INSERT INTO ledger_entries (id, kind, source_id, version, invoice_id, at) VALUES ($1, $2, $3, $4, $5, $6)",
            entry_id,
            entry.kind,
            entry.source_id,
            entry.version,
            entry.invoice_id,
            now,
        )
        await tx.executemany(
            "INSERT INTO ledger_postings (entry_id, account, amount_minor, currency) VALUES ($1, $2, $3, $4)",
            [(entry_id, each.account, each.amount_minor, entry.currency) for each in entry.postings],
        )

    # Payments

    async def insert_payment(self, tx: Transaction, payment: Payment) -> None:
        """Raises InvoiceNotPayable when another payment of the invoice lives."""
        values = _values(payment)
        try:
            await tx.execute(
                f"INSERT INTO payments ({PAYMENT}, updated_at) VALUES ({_places(len(values))}, $12)", *values
            )
        except asyncpg.UniqueViolationError as error:
            if error.constraint_name == "payments_key":
                raise IdempotencyKeyTaken() from None
            raise InvoiceNotPayable("A payment of this invoice is under way") from None

    async def payment(self, tx: Transaction, payment_id: UUID, *, lock: bool = False) -> Payment | None:
        suffix = " FOR UPDATE" if lock else ""
        return _as(Payment, await tx.fetchrow(f"SELECT {PAYMENT} FROM payments WHERE id = $1{suffix}", payment_id))

    async def payments_of(self, tx: Transaction, invoice_id: UUID) -> list[Payment]:
        sql = f"SELECT {PAYMENT} FROM payments WHERE invoice_id = $1 ORDER BY created_at DESC, id DESC"
        return [_one(Payment, row) for row in await tx.fetch(sql, invoice_id)]

    async def payment_by_key(self, tx: Transaction, made_by: UUID, key: str) -> Payment | None:
        sql = f"SELECT {PAYMENT} FROM payments WHERE made_by = $1 AND idempotency_key = $2"
        return _as(Payment, await tx.fetchrow(sql, made_by, key))

    async def has_live_payment(self, tx: Transaction, invoice_id: UUID) -> bool:
        return bool(
            await tx.fetchval(
                "SELECT EXISTS (SELECT FROM payments WHERE invoice_id = $1 "
                "AND status IN ('created', 'pending', 'authorised'))",
                invoice_id,
            )
        )

    async def save_payment(
        self,
        tx: Transaction,
        payment_id: UUID,
        status: PaymentStatus,
        reference: str | None,
        redirect_url: str | None,
        now: datetime,
    ) -> Payment:
        row = await tx.fetchrow(
            "UPDATE payments SET status = $2, reference = coalesce($3, reference), "
            f"redirect_url = coalesce($4, redirect_url), updated_at = $5 WHERE id = $1 RETURNING {PAYMENT}",
            payment_id,
            status,
            reference,
            redirect_url,
            now,
        )
        return _one(Payment, row)

    async def unfinished_payments(self, tx: Transaction, before: datetime, limit: int) -> list[Payment]:
        rows = await tx.fetch(
            f"SELECT {PAYMENT} FROM payments WHERE status IN ('created', 'pending', 'authorised') "
            "AND updated_at <= $1 ORDER BY updated_at LIMIT $2",
            before,
            limit,
        )
        return _all(Payment, rows)

    async def touch_payment(self, tx: Transaction, payment_id: UUID, now: datetime) -> None:
        """Asked about just now: the others come first next time."""
        await tx.execute("UPDATE payments SET updated_at = $2 WHERE id = $1", payment_id, now)

    # Refunds

    async def insert_refund(self, tx: Transaction, refund: Refund) -> None:
        values = _values(refund)
        try:
            await tx.execute(f"INSERT INTO refunds ({REFUND}, updated_at) VALUES ({_places(len(values))}, $9)", *values)
        except asyncpg.UniqueViolationError:
            raise IdempotencyKeyTaken() from None

    async def refund(self, tx: Transaction, refund_id: UUID, *, lock: bool = False) -> Refund | None:
        suffix = " FOR UPDATE" if lock else ""
        return _as(Refund, await tx.fetchrow(f"SELECT {REFUND} FROM refunds WHERE id = $1{suffix}", refund_id))

    async def refund_by_key(self, tx: Transaction, made_by: UUID, key: str) -> Refund | None:
        sql = f"SELECT {REFUND} FROM refunds WHERE made_by = $1 AND idempotency_key = $2"
        return _as(Refund, await tx.fetchrow(sql, made_by, key))

    async def refunded_or_pending(self, tx: Transaction, payment_id: UUID) -> int:
        total = await tx.fetchval(
            "SELECT coalesce(sum(amount_minor), 0)::bigint FROM refunds WHERE payment_id = $1 AND status <> 'failed'",
            payment_id,
        )
        return int(total)

    async def save_refund(self, tx: Transaction, refund_id: UUID, status: RefundStatus, now: datetime) -> Refund:
        row = await tx.fetchrow(
            f"UPDATE refunds SET status = $2, updated_at = $3 WHERE id = $1 RETURNING {REFUND}",
            refund_id,
            status,
            now,
        )
        return _one(Refund, row)

    async def unfinished_refunds(self, tx: Transaction, before: datetime, limit: int) -> list[Refund]:
        rows = await tx.fetch(
            f"SELECT {REFUND} FROM refunds WHERE status = 'pending' AND updated_at <= $1 ORDER BY updated_at LIMIT $2",
            before,
            limit,
        )
        return _all(Refund, rows)

    # Coverages and claims

    async def insert_coverage(self, tx: Transaction, coverage: Coverage) -> None:
        values = _values(coverage)
        await tx.execute(f"INSERT INTO coverages ({COVERAGE}) VALUES ({_places(len(values))})", *values)

    async def coverage(self, tx: Transaction, coverage_id: UUID) -> Coverage | None:
        return _as(Coverage, await tx.fetchrow(f"SELECT {COVERAGE} FROM coverages WHERE id = $1", coverage_id))

    async def coverages(self, tx: Transaction, patient_id: UUID) -> list[Coverage]:
        rows = await tx.fetch(f"SELECT {COVERAGE} FROM coverages WHERE patient_id = $1 ORDER BY id", patient_id)
        return _all(Coverage, rows)

    async def insert_claim(self, tx: Transaction, claim: Claim) -> None:
        """Raises InvoiceNotClaimable when there is an open one."""
        values = _values(claim)
        try:
            await tx.execute(f"INSERT INTO claims ({CLAIM}) VALUES ({_places(len(values))})", *values)
        except asyncpg.UniqueViolationError:
            raise InvoiceNotClaimable("There is a claim for this invoice already") from None

    async def claim(self, tx: Transaction, claim_id: UUID, *, lock: bool = False) -> Claim | None:
        suffix = " FOR UPDATE" if lock else ""
        return _as(Claim, await tx.fetchrow(f"SELECT {CLAIM} FROM claims WHERE id = $1{suffix}", claim_id))

    async def claims(self, tx: Transaction, invoice_id: UUID) -> list[Claim]:
        return _all(Claim, await tx.fetch(f"SELECT {CLAIM} FROM claims WHERE invoice_id = $1 ORDER BY id", invoice_id))

    async def has_undecided_claim(self, tx: Transaction, invoice_id: UUID) -> bool:
        sql = "SELECT EXISTS (SELECT FROM claims WHERE invoice_id = $1 AND status = 'submitted')"
        return bool(await tx.fetchval(sql, invoice_id))

    async def undecided_claims(self, tx: Transaction, limit: int) -> list[Claim]:
        sql = f"SELECT {CLAIM} FROM claims WHERE status = 'submitted' ORDER BY created_at LIMIT $1"
        return _all(Claim, await tx.fetch(sql, limit))

    async def decide_claim(
        self, tx: Transaction, claim_id: UUID, status: ClaimStatus, approved_minor: int, now: datetime
    ) -> Claim:
        row = await tx.fetchrow(
            f"UPDATE claims SET status = $2, approved_minor = $3, decided_at = $4 WHERE id = $1 RETURNING {CLAIM}",
            claim_id,
            status,
            approved_minor,
            now,
        )
        return _one(Claim, row)

    async def totals(self, tx: Transaction) -> dict[tuple[str, str], int]:
        """The ledger's balance per (account, currency)."""
        rows = await tx.fetch(
            "SELECT account, currency, sum(amount_minor)::bigint AS total FROM ledger_postings GROUP BY 1, 2"
        )
        return {(row["account"], row["currency"]): row["total"] for row in rows}
