"""Facts about what people may know and ask of their data."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from core.events import Fact


class BreakGlassOpened(Fact):
    """Somebody opened a patient's record in an emergency; the patient is to be told."""

    name: ClassVar[str] = "break_glass.opened"
    order_by: ClassVar[str] = "patient_id"

    access_id: UUID
    person_id: UUID
    patient_id: UUID


class BreakGlassEnded(Fact):
    """Revoked before its time; the end of the time itself is told by nobody."""

    name: ClassVar[str] = "break_glass.ended"
    order_by: ClassVar[str] = "patient_id"

    access_id: UUID
    person_id: UUID
    patient_id: UUID


class ConsentGiven(Fact):
    name: ClassVar[str] = "consent.given"
    order_by: ClassVar[str] = "person_id"

    person_id: UUID
    kind: str
    version: int


class ConsentWithdrawn(Fact):
    name: ClassVar[str] = "consent.withdrawn"
    order_by: ClassVar[str] = "person_id"

    person_id: UUID
    kind: str
    version: int


class PersonErased(Fact):
    """What was in clear about a person is replaced, their account closed; the key goes now or when the law allows."""

    name: ClassVar[str] = "person.erased"
    order_by: ClassVar[str] = "person_id"

    person_id: UUID
