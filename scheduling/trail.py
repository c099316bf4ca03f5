"""What every change leaves behind: the fields its facts carry, and its audit row."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict
from uuid import UUID

from core.database import Transaction
from core.security.principal import Principal
from scheduling.models import Appointment


class About(TypedDict):
    appointment_id: UUID
    patient_id: UUID
    practitioner_id: UUID
    start: datetime
    end: datetime


def about(each: Appointment) -> About:
    """The fields that every fact about an appointment carries."""
    return About(
        appointment_id=each.id,
        patient_id=each.patient_id,
        practitioner_id=each.practitioner_id,
        start=each.start,
        end=each.end,
    )


async def audit(
    tx: Transaction, principal: Principal, action: str, each: Appointment, *, reason: str | None = None
) -> None:
    """One row of the trail. ``reason`` is administrative, never health data."""
    await tx.audit(
        action,
        actor_id=principal.person_id,
        actor_role=principal.role,
        resource="appointment",
        resource_id=each.id,
        patient_id=each.patient_id,
        reason=reason,
    )
