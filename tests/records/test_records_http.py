"""Records over HTTP on the real servers, with either document store: refusals first."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from harness import MakeClient, MakeContext, TokenSessions
from pydantic import SecretStr

import records
from consultations.events import ConsultationCompleted
from core.context import Context
from core.events import Envelope
from core.ids import uuid7
from core.security.policy import Relation
from core.security.principal import Principal, Role
from core.settings import Mongo
from core.settings import Records as RecordSettings
from records.documents import Blob
from records.ports import AppointmentInfo

pytestmark = pytest.mark.integration
pytest_plugins = ["records_mongo"]

PRESCRIPTION = {
    "medication": {"code": "J01CA04", "display": "Amoxicillin 500 mg"},
    "dosage": {"text": "One capsule three times a day", "dose": 1, "unit": "capsule", "frequency": 3, "period": "day"},
    "refills": 1,
}


class MovedClock:
    """The machine's clock, moved."""

    def __init__(self) -> None:
        self.by = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.by

    def monotonic(self) -> float:
        return self.now().timestamp()


@dataclass
class Neighbours:
    """What the other modules would answer, behind the module's ports."""

    care: set[tuple[UUID, UUID]] = field(default_factory=set)
    visits: dict[UUID, AppointmentInfo] = field(default_factory=dict)

    async def care_relation(self, practitioner_id: UUID, patient_id: UUID) -> bool:
        return (practitioner_id, patient_id) in self.care

    async def emergency(self, practitioner_id: UUID, patient_id: UUID) -> UUID | None:
        return None

    async def over(self, person_id: UUID, patient_id: UUID) -> frozenset[Relation]:
        return frozenset()

    async def names(self, ids: Sequence[UUID]) -> Mapping[UUID, str]:
        return {each: f"Person {each.hex[-4:]}" for each in ids}

    async def get(self, appointment_id: UUID) -> AppointmentInfo | None:
        return self.visits.get(appointment_id)

    async def summary(self, appointment_id: UUID) -> tuple[str | None, str | None]:
        return "Sprained ankle, rest for a week", "treated"


@dataclass
class Ward:
    context: Context
    clock: MovedClock
    neighbours: Neighbours
    module: records.Records
    client: TestClient[web.Request, web.Application]
    sessions: TokenSessions
    patient: Principal
    doctor: Principal
    appointment_id: UUID

    async def call(self, who: Principal | None, method: str, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
        headers = self.sessions.sign_in(who.id, who.role, who.name) if who else {}
        answer = await self.client.request(method, f"/api/v1{path}", json=body, headers=headers)
        return answer.status, await answer.json()

    async def audits(self) -> list[tuple[str, UUID]]:
        async with self.context.database("core").reading() as tx:
            rows = await tx.fetch(
                "SELECT action, actor_id FROM core.audit_log WHERE patient_id = $1 ORDER BY seq", self.patient.id
            )
        return [(row["action"], row["actor_id"]) for row in rows]

    async def facts(self, key: UUID) -> list[str]:
        async with self.context.database("core").reading() as tx:
            rows = await tx.fetch("SELECT name FROM core.outbox WHERE order_key = $1 ORDER BY seq", key)
        return [row["name"] for row in rows]

    async def complete(self) -> None:
        """Deliver the fact, as the consumers do."""
        fact = ConsultationCompleted(
            appointment_id=self.appointment_id, patient_id=self.patient.id, practitioner_id=self.doctor.id
        )
        (subscription,) = self.context.subscriptions.of("records", fact.name)
        async with self.context.database("records").transaction() as tx:
            envelope = Envelope(uuid7(), fact.name, fact.order_key, self.clock.now(), {})
            await subscription.handler(tx, fact, envelope)


def person(role: Role) -> Principal:
    return Principal(uuid7(), role, frozenset({role}), None, f"A {role}")


@pytest.fixture(params=["postgres", "mongo"])
async def ward(request: pytest.FixtureRequest, make_context: MakeContext, make_client: MakeClient, mongo: str) -> Ward:
    clock, neighbours = MovedClock(), Neighbours()
    settings = (await make_context()).settings.model_copy(
        update={
            "records": RecordSettings(store=request.param),
            "mongo": Mongo(url=SecretStr(mongo), database="ward"),
        }
    )
    context = await make_context(clock=clock, settings=settings)
    module = records.setup(
        context, care=neighbours, people=neighbours, appointments=neighbours, consultations=neighbours
    )
    patient, doctor, appointment_id = person("patient"), person("practitioner"), uuid7()
    neighbours.care.add((doctor.id, patient.id))
    neighbours.visits[appointment_id] = AppointmentInfo(appointment_id, patient.id, doctor.id, "checked-in")
    client, sessions = await make_client(context), TokenSessions(context)
    return Ward(context, clock, neighbours, module, client, sessions, patient, doctor, appointment_id)


async def test_anonymous_and_the_wrong_person_are_refused(ward: Ward) -> None:
    strangers = [person("patient"), person("practitioner"), person("desk"), person("admin"), person("auditor")]
    change = {"version": 0, "add": [{"kind": "note", "content": {"text": "x"}}]}
    calls = [
        ("GET", f"/records/{ward.patient.id}", None),
        ("GET", f"/patients/{ward.patient.id}/medical-records", None),
        ("GET", f"/prescriptions?patient_id={ward.patient.id}", None),
        ("PATCH", f"/records/{ward.patient.id}", change),
        ("POST", f"/appointments/{ward.appointment_id}/prescriptions", PRESCRIPTION),
    ]
    for method, path, body in calls:
        assert (await ward.call(None, method, path, body))[0] == 401
        for who in strangers:
            status, problem = await ward.call(who, method, path, body)
            relation = who.role == "practitioner" and method != "POST"
            assert (status, problem["code"]) == (403, "no_care_relation" if relation else "forbidden"), (path, who.role)
    # A patient reads, but neither changes nor prescribes.
    assert (await ward.call(ward.patient, "PATCH", f"/records/{ward.patient.id}", change))[0] == 403
    assert (await ward.call(ward.patient, "POST", calls[4][1], PRESCRIPTION))[0] == 403
    assert await ward.audits() == []


async def test_an_empty_record_then_a_change_then_a_conflict(ward: Ward) -> None:
    path = f"/records/{ward.patient.id}"
    status, empty = await ward.call(ward.patient, "GET", path)
    assert (status, empty["version"], empty["entries"]) == (200, 0, [])
    assert empty["summary"] == {"history": "", "allergies": [], "conditions": [], "medications": []}
    change: dict[str, Any] = {
        "version": 0,
        "summary": {"allergies": ["Penicillin"], "history": "Asthma as a child"},
        "add": [
            {"kind": "allergy", "content": {"substance": "Penicillin"}, "appointment_id": str(ward.appointment_id)}
        ],
    }
    status, changed = await ward.call(ward.doctor, "PATCH", path, change)
    assert (status, changed["version"], changed["summary"]["allergies"]) == (200, 1, ["Penicillin"])
    entry = changed["entries"][0]
    assert entry["content"] == {"substance": "Penicillin"}
    assert (entry["author_id"], entry["version"]) == (str(ward.doctor.id), 1)
    status, problem = await ward.call(ward.doctor, "PATCH", path, change)
    assert (status, problem["code"]) == (409, "version_conflict")
    status, again = await ward.call(
        ward.doctor, "PATCH", path, {"version": 1, "summary": {"conditions": ["Hypertension"]}}
    )
    assert (again["version"], again["summary"]["allergies"]) == (2, ["Penicillin"])
    assert (await ward.call(ward.patient, "GET", path))[1] == again
    assert await ward.facts(ward.patient.id) == ["record.updated", "record.updated"]
    actions = [action for action, _ in await ward.audits()]
    assert actions == ["record.read", "record.updated", "record.updated", "record.read"]


async def test_of_many_changes_at_once_one_wins_and_none_is_lost(ward: Ward) -> None:
    path = f"/records/{ward.patient.id}"
    changes = [{"version": 0, "add": [{"kind": "note", "content": {"number": number}}]} for number in range(10)]
    answers = await asyncio.gather(*(ward.call(ward.doctor, "PATCH", path, change) for change in changes))
    assert sorted(status for status, _ in answers) == [200] + [409] * 9
    _, after = await ward.call(ward.doctor, "GET", path)
    assert (after["version"], len(after["entries"])) == (1, 1)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"version": -1},
        {"version": "0"},
        {"version": 0, "extra": 1},
        {"version": 0, "summary": {"allergies": [""]}},
        {"version": 0, "add": [{"kind": "visit", "content": {"text": "forged"}}]},
        {"version": 0, "add": [{"kind": "note", "content": {}}]},
        {"version": 0, "add": [{"kind": "note", "content": {"text": "x" * 40_000}}]},
        {"version": 0, "add": [{"kind": "note", "content": {"a": 1}, "appointment_id": str(uuid7())}]},
    ],
)
async def test_bad_changes_are_refused_and_leave_nothing(ward: Ward, body: dict[str, Any]) -> None:
    status, problem = await ward.call(ward.doctor, "PATCH", f"/records/{ward.patient.id}", body)
    assert (status, problem["code"]) == (400, "invalid_input")
    assert await ward.facts(ward.patient.id) == []


async def test_a_completed_visit_writes_itself_once(ward: Ward) -> None:
    await ward.complete()
    await ward.complete()
    _, page = await ward.call(ward.patient, "GET", f"/patients/{ward.patient.id}/medical-records?kind=visit")
    (entry,) = page["items"]
    assert entry["content"] == {"summary": "Sprained ankle, rest for a week", "outcome": "treated"}
    assert (entry["appointment_id"], entry["author_id"]) == (str(ward.appointment_id), str(ward.doctor.id))
    assert await ward.facts(ward.patient.id) == ["record.updated"]


async def test_entries_come_page_by_page(ward: Ward) -> None:
    add = [{"kind": "vital", "content": {"pulse": pulse}} for pulse in range(5)]
    await ward.call(ward.doctor, "PATCH", f"/records/{ward.patient.id}", {"version": 0, "add": add})
    seen, cursor = [], ""
    while cursor is not None:
        path = f"/patients/{ward.patient.id}/medical-records?limit=2{cursor and '&cursor=' + cursor}"
        _, page = await ward.call(ward.doctor, "GET", path)
        seen += [each["content"]["pulse"] for each in page["items"]]
        cursor = page["next_cursor"]
    assert sorted(seen) == list(range(5))
    wrong = await ward.call(ward.doctor, "GET", f"/patients/{ward.patient.id}/medical-records?cursor=x")
    assert wrong[0] == 400


async def test_nothing_of_it_lies_in_clear(ward: Ward) -> None:
    await ward.complete()
    await ward.call(ward.doctor, "POST", f"/appointments/{ward.appointment_id}/prescriptions", PRESCRIPTION)
    async with ward.context.database("records").reading() as tx:
        entry = await tx.fetchrow("SELECT blob_id FROM entries WHERE patient_id = $1", ward.patient.id)
        prescription = await tx.fetchval("SELECT content FROM prescriptions WHERE patient_id = $1", ward.patient.id)
    assert entry is not None
    stored = await ward.module.record._store.get([entry["blob_id"]])
    assert b"ankle" not in stored[entry["blob_id"]]
    assert b"Amoxicillin" not in prescription


async def test_the_sweeper_removes_orphans_alone(ward: Ward) -> None:
    store = ward.module.record._store
    orphan = Blob(uuid7(), ward.patient.id, b"nobody points here")
    await store.put(orphan)
    change = {"version": 0, "summary": {"history": "kept"}, "add": [{"kind": "note", "content": {"text": "kept"}}]}
    await ward.call(ward.doctor, "PATCH", f"/records/{ward.patient.id}", change)
    await ward.module.record.sweep()
    assert orphan.id in await store.get([orphan.id])  # too young: its transaction might still be running
    ward.clock.by = timedelta(hours=2)
    await ward.module.record.sweep()
    assert await store.get([orphan.id]) == {}
    ward.clock.by = timedelta()
    _, record = await ward.call(ward.patient, "GET", f"/records/{ward.patient.id}")
    assert record["summary"]["history"] == "kept"
    assert record["entries"][0]["content"] == {"text": "kept"}


# -- prescriptions and pharmacies


async def test_a_prescription_is_issued_and_read_by_the_patient(ward: Ward) -> None:
    path = f"/appointments/{ward.appointment_id}/prescriptions"
    _, near = await ward.call(ward.patient, "GET", "/pharmacies?lat=5.32&lon=-4.02&limit=3")
    body = PRESCRIPTION | {"pharmacy_id": near["items"][0]["id"]}
    status, issued = await ward.call(ward.doctor, "POST", path, body)
    assert status == 201
    assert len(issued["code"]) == 19
    assert issued["status"] == "active"
    _, own = await ward.call(ward.patient, "GET", "/prescriptions")
    assert own["items"] == [issued]
    _, by_doctor = await ward.call(ward.doctor, "GET", "/prescriptions")
    assert by_doctor["items"] == [issued]
    assert await ward.module.prescriptions_for(ward.appointment_id) == [issued]
    assert await ward.facts(ward.appointment_id) == ["prescription.issued"]
    audited = await ward.audits()
    assert audited == [
        ("prescription.issued", ward.doctor.id),
        ("prescription.read", ward.patient.id),
        ("prescription.read", ward.doctor.id),
    ]


async def test_no_prescription_without_a_visit(ward: Ward) -> None:
    for appointment_id in (uuid7(), "rubbish"):
        status, _ = await ward.call(ward.doctor, "POST", f"/appointments/{appointment_id}/prescriptions", PRESCRIPTION)
        assert status in (403, 404)
    cancelled = AppointmentInfo(uuid7(), ward.patient.id, ward.doctor.id, "cancelled")
    ward.neighbours.visits[cancelled.id] = cancelled
    status, problem = await ward.call(ward.doctor, "POST", f"/appointments/{cancelled.id}/prescriptions", PRESCRIPTION)
    assert (status, problem["code"]) == (409, "invalid_transition")


@pytest.mark.parametrize(
    "change",
    [
        {"refills": -1},
        {"medication": {"code": "x"}},
        {"dosage": PRESCRIPTION["dosage"] | {"dose": 0}},  # type: ignore[operator]
        {"pharmacy_id": str(uuid7())},
    ],
)
async def test_bad_prescriptions_are_refused(ward: Ward, change: dict[str, Any]) -> None:
    path = f"/appointments/{ward.appointment_id}/prescriptions"
    status, problem = await ward.call(ward.doctor, "POST", path, PRESCRIPTION | change)
    assert (status, problem["code"]) == (400, "invalid_input")
    assert await ward.facts(ward.appointment_id) == []


async def test_pharmacies_come_nearest_first(ward: Ward) -> None:
    assert (await ward.call(None, "GET", "/pharmacies?lat=0&lon=0"))[0] == 401
    _, page = await ward.call(ward.patient, "GET", "/pharmacies?lat=48.8722&lon=2.3640&limit=4")
    distances = [each["distance_m"] for each in page["items"]]
    assert page["items"][0]["name"] == "Pharmacie du Canal"
    assert distances == sorted(distances)
    assert distances[0] == 0
    assert 2_500 < distances[1] < 3_000  # to rue Lepic
    for wrong in ("lat=91&lon=0", "lat=nan&lon=0", "lat=1", "lat=1&lon=2&limit=1000"):
        assert (await ward.call(ward.patient, "GET", f"/pharmacies?{wrong}"))[0] == 400
