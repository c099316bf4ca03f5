"""People and visits for load tests, made through the modules' services. Refused in production.

Every call has a practitioner of its own (one can't be in two visits) whom no page shows, one patient, and further
guests by invitation. The visit is open now; unless ``waiting`` is asked for, everybody has been let in.
"""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

from compliance import Compliance
from compliance.consent_texts import newest
from consultations.service import Consultations
from core.context import Context
from core.security.principal import Principal, Role
from identity import Identity
from identity.people import Person, PractitionerProfile
from scheduling import Scheduling
from signaling.live import Live
from signaling.presence import Person as Present
from signaling.store import Visit

# A long load test; the visit itself closes an hour after its end.
TOKEN_LIFETIME = timedelta(hours=4)
MOST_PEOPLE = 12
PROFILE = PractitionerProfile(
    title="Dr",
    specialties=("general-practice",),
    languages=("en",),
    licence_number="LOAD",
    fee_minor=1000,
    currency="XOF",
    location="Nowhere",
    licence_verified=True,
    published=False,
)


class Modules(Protocol):
    """The services it is done through."""

    @property
    def identity(self) -> Identity: ...

    @property
    def scheduling(self) -> Scheduling: ...

    @property
    def consultations(self) -> Consultations: ...

    @property
    def compliance(self) -> Compliance: ...

    @property
    def signaling(self) -> Live: ...


@dataclass(frozen=True, slots=True)
class Participant:
    """``token`` is the visit token, for the Socket.IO namespace ``/consultation``."""

    role: str
    participant_id: str
    token: str


@dataclass(frozen=True, slots=True)
class ProvisionedCall:
    appointment_id: str
    participants: list[Participant]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Provisioner:
    """One run; its people's addresses begin with a name of their own."""

    def __init__(self, context: Context, modules: Modules) -> None:
        self._context = context
        self._modules = modules
        self._run = secrets.token_hex(4)

    async def calls(self, calls: int, people: int, *, waiting: bool = False) -> list[ProvisionedCall]:
        """``calls`` visits of ``people`` each (2 to 12)."""
        assert 2 <= people <= MOST_PEOPLE, "a call has two to twelve people"
        return [await self._call(number, people, waiting=waiting) for number in range(calls)]

    async def _call(self, number: int, people: int, *, waiting: bool) -> ProvisionedCall:
        doctor = await self._person(number, "practitioner")
        patient = await self._person(number, "patient")
        agreed = Principal(patient.id, "patient", frozenset({"patient"}), name=patient.name)
        await self._modules.compliance.consents.say(
            agreed, "telehealth", given=True, version=newest("telehealth"), language="en"
        )
        appointment = await self._modules.scheduling.arranging.ensure_open_visit(doctor.id, patient.id, "Load test")
        members: list[tuple[UUID, str]] = [(doctor.id, "practitioner"), (patient.id, "patient")]
        acting = Principal(doctor.id, "practitioner", frozenset({"practitioner"}), name=doctor.name)
        service = self._modules.consultations
        for guest in range(people - 2):
            made, secret, _ = await service.guests.invite(acting, appointment.id, "guest", f"Guest {guest + 1}")
            await service.guests.redeem(secret)
            members.append((made, "guest"))
        for member, role in members:
            await self._enter(appointment.id, member, role, let_in=not waiting)
        return ProvisionedCall(
            str(appointment.id),
            [Participant(role, str(member), self._token(appointment.id, member, role)) for member, role in members],
        )

    async def _person(self, number: int, role: Role) -> Person:
        return await self._modules.identity.accounts.create_person(
            email=f"load-{self._run}-{role}-{number}@load.invalid",
            password=secrets.token_urlsafe(24),
            name=f"Load {role} {number}",
            roles=(role,),
            practitioner=PROFILE if role == "practitioner" else None,
        )

    async def _enter(self, appointment_id: UUID, participant_id: UUID, role: str, *, let_in: bool) -> None:
        """Make the person known to the live visit as if they had come to its waiting room."""
        seat = await self._modules.consultations.course.seat(appointment_id, participant_id, role)
        if role == "practitioner" or not let_in:
            return
        live = self._modules.signaling
        visit = Visit(
            str(appointment_id),
            str(seat.patient_id),
            str(seat.practitioner_id),
            seat.practitioner_name,
            seat.practitioner_title,
            seat.start.timestamp(),
            seat.closes_at.timestamp(),
        )
        await live.store.enter(visit, Present(str(appointment_id), str(participant_id), role, seat.name, "waiting"))
        await live.waiting.admit(visit, str(participant_id))

    def _token(self, appointment_id: UUID, participant_id: UUID, role: str) -> str:
        return self._context.tokens.issue(
            "visit", participant_id, TOKEN_LIFETIME, appointment_id=str(appointment_id), role=role
        )
