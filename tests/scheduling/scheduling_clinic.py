"""A small clinic for scheduling's tests: people and practitioners in memory behind the module's ports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import scheduling
from consultations.events import ConsultationCompleted
from core.context import Context
from core.ids import uuid7
from core.security.policy import Relation
from core.security.principal import Principal, Role
from scheduling.availability import Hours, Schedule, WeeklyRule
from scheduling.ports import Attendance, Practitioner, Specialty, Wanted

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)  # a Monday


@dataclass
class FixedClock:
    """A clock that tests set."""

    moment: datetime = NOON

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.moment.timestamp()


@dataclass
class Directory:
    """Practitioners and names."""

    profiles: dict[UUID, Practitioner] = field(default_factory=dict)
    people: dict[UUID, str] = field(default_factory=dict)

    async def get(self, ids: Sequence[UUID]) -> Mapping[UUID, Practitioner]:
        return {each: self.profiles[each] for each in ids if each in self.profiles}

    async def search(self, wanted: Wanted, cursor: str | None, limit: int) -> tuple[list[Practitioner], str | None]:
        found = [
            each
            for each in self.profiles.values()
            if each.published
            and (wanted.specialty is None or wanted.specialty in each.specialties)
            and (wanted.language is None or wanted.language in each.languages)
            and (wanted.name is None or wanted.name.lower() in each.name.lower())
        ]
        first = int(cursor or 0)
        more = len(found) > first + limit
        return found[first : first + limit], str(first + limit) if more else None

    async def licences_until(self, last: date) -> list[Practitioner]:
        return [each for each in self.profiles.values() if each.licence_expires_on and each.licence_expires_on <= last]

    async def specialties(self) -> list[Specialty]:
        codes = [code for each in self.profiles.values() for code in each.specialties]
        return [Specialty(code, code.title(), codes.count(code)) for code in sorted(set(codes))]

    async def choices(self) -> tuple[list[str], list[str]]:
        shown = [each for each in self.profiles.values() if each.published]
        return sorted({name for each in shown for name in each.insurers}), sorted({each.currency for each in shown})

    async def names(self, ids: Sequence[UUID]) -> Mapping[UUID, str]:
        return {each: self.people[each] for each in ids if each in self.people}


@dataclass
class Visits:
    """Completes consultations by publishing the fact, as the module does, in scheduling's own outbox access."""

    context: Context
    completed: list[UUID] = field(default_factory=list)
    seen: dict[UUID, Attendance] = field(default_factory=dict)

    async def attendance(self, appointment_ids: Sequence[UUID]) -> Mapping[UUID, Attendance]:
        return {each: self.seen[each] for each in appointment_ids if each in self.seen}

    async def complete(self, principal: Principal, appointment_id: UUID, summary: str) -> None:
        self.completed.append(appointment_id)
        async with self.context.database("consultations").transaction() as tx:
            await tx.publish(
                ConsultationCompleted(appointment_id=appointment_id, patient_id=uuid7(), practitioner_id=principal.id)
            )


@dataclass
class Authorities:
    """Who may act for whom."""

    pairs: set[tuple[UUID, UUID]] = field(default_factory=set)

    async def over(self, person_id: UUID, patient_id: UUID) -> frozenset[Relation]:
        return frozenset({"proxy_book"}) if (person_id, patient_id) in self.pairs else frozenset()


@dataclass
class Clinic:
    context: Context
    clock: FixedClock
    directory: Directory
    visits: Visits
    authority: Authorities
    module: scheduling.Scheduling

    def person(self, role: Role, name: str = "") -> Principal:
        person_id = uuid7()
        self.directory.people[person_id] = name or f"{role} {person_id.hex[-4:]}"
        return Principal(person_id, role, frozenset({role}), None, self.directory.people[person_id])

    async def doctor(
        self, zone: str = "Europe/Paris", specialty: str = "general", hours: tuple[int, int] = (540, 1020), **more: int
    ) -> Principal:
        """A bookable practitioner, open 09:00 to 17:00 every day unless ``hours`` (minutes) says otherwise."""
        doctor = self.person("practitioner")
        self.directory.profiles[doctor.id] = Practitioner(
            id=doctor.id,
            name=doctor.name,
            title="Dr",
            specialties=(specialty,),
            languages=("fr", "en"),
            fee_minor=15000,
            currency="XOF",
            location="Abidjan",
            time_zone=zone,
            about="",
            licence_verified=True,
            published=True,
        )
        rules = tuple(WeeklyRule(day, Hours(*hours)) for day in range(7))
        schedule = Schedule(
            zone,
            30,
            more.get("buffer", 0),
            more.get("notice", 60),
            more.get("horizon", 60),
            rules,
            buffer_before_minutes=more.get("before", 0),
        )
        await self.module.offers.save_schedule(doctor, doctor.id, schedule, 0)
        return doctor

    def licence(self, doctor: Principal, last: date) -> Practitioner:
        """The doctor's profile with a licence that ends."""
        return replace(self.directory.profiles[doctor.id], licence_expires_on=last)

    async def facts(self, appointment_id: UUID) -> list[str]:
        async with self.context.database("core").reading() as tx:
            rows = await tx.fetch("SELECT name FROM core.outbox WHERE order_key = $1 ORDER BY seq", appointment_id)
        return [row["name"] for row in rows]

    async def audits(self, appointment_id: UUID) -> list[tuple[str, str]]:
        async with self.context.database("core").reading() as tx:
            rows = await tx.fetch(
                "SELECT action, actor_role FROM core.audit_log WHERE resource_id = $1 ORDER BY seq",
                str(appointment_id),
            )
        return [(row["action"], row["actor_role"]) for row in rows]


def clinic_over(context: Context, clock: FixedClock) -> Clinic:
    directory, visits, authority = Directory(), Visits(context), Authorities()
    module = scheduling.setup(
        context, practitioners=directory, people=directory, consultations=visits, authority=authority
    )
    return Clinic(context, clock, directory, visits, authority, module)


def at(hour: int, minute: int = 0, days: int = 1) -> datetime:
    """A time in Paris (UTC+2 in June), ``days`` after the clinic's Monday."""
    return datetime(2026, 6, 1, hour - 2, minute, tzinfo=UTC) + timedelta(days=days)
