"""Figures from facts, however often and late they come."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from harness import TokenSessions

import analytics
from analytics.service import no_show_rate
from billing.events import PaymentRefunded, PaymentSucceeded
from consultations.events import ConsultationStarted
from core.context import Context
from core.events import Fact
from core.ids import uuid7
from scheduling.events import (
    AppointmentBooked,
    AppointmentCancelled,
    AppointmentCompleted,
    AppointmentNoShow,
    AppointmentRescheduled,
)


def test_no_show_rate() -> None:
    assert no_show_rate(0, 0) == 0
    assert no_show_rate(2, 1) == 0.3333


@pytest.mark.integration
async def test_summary_counts_what_happened(context: Context, run_facts: Any, make_client: Any) -> None:
    analytics.setup(context)
    run_facts(context)
    doctor, now = uuid7(), datetime.now(UTC)
    today = now.replace(hour=8, minute=0, second=0, microsecond=0)

    async def publish(*facts: Fact) -> None:
        for fact in facts:
            async with context.database("scheduling").transaction() as tx:
                await tx.publish(fact)

    def visit(start: datetime) -> dict[str, Any]:
        return {
            "appointment_id": uuid7(),
            "patient_id": uuid7(),
            "practitioner_id": doctor,
            "start": start,
            "end": start + timedelta(minutes=30),
        }

    def people(of: dict[str, Any]) -> dict[str, UUID]:
        return {name: of[name] for name in ("appointment_id", "patient_id", "practitioner_id")}

    done, missed, gone, moved = (visit(today) for _ in range(4))
    for each in (done, missed, gone, moved):
        await publish(AppointmentBooked(**each, specialty="general", fee_minor=5000, currency="XOF"))
    await publish(
        ConsultationStarted(**people(done), waited_s=120),
        ConsultationStarted(**people(done), waited_s=999),
        ConsultationStarted(**people(moved), waited_s=60),
        AppointmentCompleted(**done),
        AppointmentNoShow(**missed),
        AppointmentCancelled(**gone, by="patient", in_time=True),
    )
    later = today - timedelta(days=2)
    await publish(
        AppointmentRescheduled(**{**moved, "start": later, "end": later}, previous_start=today),
        AppointmentCompleted(**{**moved, "start": later, "end": later}),
    )
    payment = {**people(done), "invoice_id": uuid7(), "payment_id": uuid7(), "currency": "XOF"}
    await publish(
        PaymentSucceeded(**payment, amount_minor=5000),
        PaymentRefunded(**payment, refund_id=uuid7(), amount_minor=1500),
    )

    client, sign_in = await make_client(context), TokenSessions(context).sign_in
    own = sign_in(doctor, "practitioner")

    async def summary(headers: dict[str, str], query: str = "") -> Any:
        answer = await client.get(f"/api/v1/analytics/summary{query}", headers=headers)
        return answer.status, await answer.json()

    assert (await summary({}))[0] == 401
    assert (await summary(sign_in(uuid7())))[0] == 403
    assert (await summary(sign_in(uuid7(), "practitioner")))[1]["visits_completed"] == 0
    # Facts of different visits are handled in no order between them: any of these may be the last.
    expected = {
        "visits_completed": 2,
        "no_show_rate": 0.3333,
        "median_wait_s": 90,
        "revenue": [{"amount_minor": 3500, "currency": "XOF"}],
    }
    day = {"date": f"{today:%Y-%m-%d}", "booked": 2, "completed": 1, "no_show": 1, "revenue_minor": 3500}

    def counted(found: tuple[int, dict[str, Any]]) -> bool:
        return found[1] | expected == found[1] and found[1]["per_day"][-1] == day

    await until(lambda: _is(summary(own), counted))
    _, found = await summary(own)
    assert len(found["per_day"]) == 30
    assert found["per_day"][-3]["completed"] == 1
    before = f"{later:%Y-%m-%d}"
    status, one = await summary(own, f"?from={before}&to={before}")
    assert status == 200
    assert (one["visits_completed"], len(one["per_day"]), one["median_wait_s"]) == (1, 1, 60)
    assert (await summary(sign_in(uuid7(), "desk")))[1]["visits_completed"] >= 2
    for wrong in ("?from=2026-02-01&to=2026-01-01", "?to=9999-12-31", "?to=0001-01-01"):
        status, problem = await summary(own, wrong)
        assert (status, problem["code"]) == (400, "invalid_input"), wrong


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(15):
        while not await true():
            await asyncio.sleep(0.02)


async def _is(awaitable: Awaitable[Any], right: Callable[[Any], bool]) -> bool:
    return right(await awaitable)
