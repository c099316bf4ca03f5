"""All SQL of analytics. Every write may be repeated."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from core.database import Row, Transaction


class Repository:
    async def booked(self, tx: Transaction, visits: Sequence[tuple[UUID, UUID, str, datetime]]) -> None:
        """Each is (appointment, practitioner, specialty, start); no appointment twice."""
        await tx.execute(
            "INSERT INTO visits (appointment_id, practitioner_id, specialty, start) "
            "SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[]) "
            "ON CONFLICT (appointment_id) DO UPDATE SET specialty = excluded.specialty, "
            "start = coalesce(visits.start, excluded.start)",
            *(list(column) for column in zip(*visits, strict=True)),
        )

    async def became(
        self, tx: Transaction, appointment_id: UUID, practitioner_id: UUID, start: datetime, status: str
    ) -> None:
        await tx.execute(
            "INSERT INTO visits (appointment_id, practitioner_id, start, status) VALUES ($1, $2, $3, $4) "
            "ON CONFLICT (appointment_id) DO UPDATE SET start = $3, status = $4",
            appointment_id,
            practitioner_id,
            start,
            status,
        )

    async def waited(self, tx: Transaction, appointment_id: UUID, practitioner_id: UUID, seconds: int) -> None:
        """The first wait counts: a call that is reopened had no second waiting room."""
        await tx.execute(
            "INSERT INTO visits (appointment_id, practitioner_id, waited_s) VALUES ($1, $2, $3) "
            "ON CONFLICT (appointment_id) DO UPDATE SET waited_s = coalesce(visits.waited_s, $3)",
            appointment_id,
            practitioner_id,
            seconds,
        )

    async def earned(
        self, tx: Transaction, row_id: UUID, practitioner_id: UUID, at: datetime, amount_minor: int, currency: str
    ) -> None:
        await tx.execute(
            "INSERT INTO revenue (id, practitioner_id, at, amount_minor, currency) VALUES ($1, $2, $3, $4, $5) "
            "ON CONFLICT DO NOTHING",
            row_id,
            practitioner_id,
            at,
            amount_minor,
            currency,
        )

    async def per_day(
        self, tx: Transaction, since: datetime, until: datetime, practitioner_id: UUID | None
    ) -> list[Row]:
        """Rows ``day, booked, completed, no_show`` by the UTC day of the start; cancelled visits count nowhere."""
        return await tx.fetch(
            "SELECT (start AT TIME ZONE 'UTC')::date AS day, count(*) FILTER (WHERE status <> 'cancelled') AS booked, "
            "count(*) FILTER (WHERE status = 'completed') AS completed, "
            "count(*) FILTER (WHERE status = 'no_show') AS no_show FROM visits "
            "WHERE start >= $1 AND start < $2 AND ($3::uuid IS NULL OR practitioner_id = $3) GROUP BY 1 ORDER BY 1",
            since,
            until,
            practitioner_id,
        )

    async def median_wait(
        self, tx: Transaction, since: datetime, until: datetime, practitioner_id: UUID | None
    ) -> float | None:
        found: float | None = await tx.fetchval(
            "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY waited_s) FROM visits "
            "WHERE start >= $1 AND start < $2 AND ($3::uuid IS NULL OR practitioner_id = $3)",
            since,
            until,
            practitioner_id,
        )
        return found

    async def revenue(
        self, tx: Transaction, since: datetime, until: datetime, practitioner_id: UUID | None
    ) -> list[Row]:
        """Rows ``day, currency, amount_minor`` by the UTC day of the payment."""
        return await tx.fetch(
            "SELECT (at AT TIME ZONE 'UTC')::date AS day, currency, sum(amount_minor)::bigint AS amount_minor "
            "FROM revenue WHERE at >= $1 AND at < $2 AND ($3::uuid IS NULL OR practitioner_id = $3) "
            "GROUP BY 1, 2 ORDER BY 1, 2",
            since,
            until,
            practitioner_id,
        )
