"""Facts about people."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from core.events import Fact


class PatientRegistered(Fact):
    name: ClassVar[str] = "patient.registered"
    order_by: ClassVar[str] = "person_id"

    person_id: UUID
