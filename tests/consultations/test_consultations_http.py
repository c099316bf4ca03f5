"""The visit over HTTP: strangers and the wrong people first, then the contract."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from aiohttp import FormData, web
from aiohttp.test_utils import TestClient
from harness import MakeClient, MakeContext, TokenSessions

import consultations
from compliance.consents import Consents
from consultations.ports import AppointmentInfo, PersonInfo
from consultations.service import Consultations
from core.context import Context
from core.ids import uuid7
from core.security.principal import Role
from server.adapters import consultations as for_consultations

pytestmark = pytest.mark.integration
PNG = b"\x89PNG\r\n\x1a\n" + bytes(200)


@dataclass
class Neighbours:
    """The ports, answered from memory; ``completed`` remembers what the live side was told."""

    appointments: dict[UUID, AppointmentInfo] = field(default_factory=dict)
    people: dict[UUID, PersonInfo] = field(default_factory=dict)
    told: list[UUID] = field(default_factory=list)
    searches: list[dict[str, Any]] = field(default_factory=list)

    def person(self, name: str, *, verified: bool = True) -> UUID:
        made = PersonInfo(uuid7(), name, "", verified)
        self.people[made.id] = made
        return made.id

    def appointment(self, patient: UUID, practitioner: UUID, starts_in: timedelta = timedelta(0)) -> UUID:
        start = datetime.now(UTC) + starts_in
        end = start + timedelta(minutes=15)
        opens, closes = start - timedelta(minutes=30), end + timedelta(hours=1)
        made = AppointmentInfo(uuid7(), patient, practitioner, start, end, "booked", opens, closes)
        self.appointments[made.id] = made
        return made.id

    async def completed(self, appointment_id: UUID) -> None:
        self.told.append(appointment_id)

    async def invitation_revoked(self, appointment_id: UUID, participant_id: UUID) -> None:
        self.told.append(participant_id)

    async def checked_in(self, appointment_id: UUID, participant_id: UUID) -> None:
        self.told.append(participant_id)

    async def consent_changed(self, appointment_id: UUID, participant_id: UUID, *, stands: bool) -> None:
        self.told.append(participant_id)

    async def interpreter(self, appointment_id: UUID, state: dict[str, Any]) -> None:
        self.searches.append(state)


class _Lookup:
    def __init__(self, rows: dict[UUID, Any]) -> None:
        self._rows = rows

    async def get(self, key: UUID) -> Any:
        return self._rows.get(key)

    async def birth_date(self, key: UUID) -> date | None:
        return date(1990, 5, 17) if key in self._rows else None


class _Prescriptions:
    async def for_appointment(self, appointment_id: UUID) -> list[dict[str, Any]]:
        return []


class _Invoices:
    async def for_appointment(self, appointment_id: UUID) -> None:
        return None


@dataclass
class Clinic:
    context: Context
    service: Consultations
    neighbours: Neighbours
    client: TestClient[web.Request, web.Application]
    sessions: TokenSessions
    patient: UUID
    doctor: UUID
    visit: UUID

    async def call(
        self, who: tuple[UUID, Role] | None, method: str, path: str, body: Any = None, **more: Any
    ) -> tuple[int, dict[str, Any]]:
        headers = self.sessions.sign_in(who[0], who[1]) if who else {}
        headers |= more.pop("headers", {})
        answer = await self.client.request(method, f"/api/v1{path}", json=body, headers=headers, **more)
        return answer.status, await answer.json()

    @property
    def as_patient(self) -> tuple[UUID, Role]:
        return self.patient, "patient"

    @property
    def as_doctor(self) -> tuple[UUID, Role]:
        return self.doctor, "practitioner"


@pytest.fixture
async def clinic(make_context: MakeContext, make_client: MakeClient) -> Clinic:
    context = await make_context()
    neighbours = Neighbours()
    consents = Consents(context.database("compliance"), context.policy, context.clock)  # nothing is presumed
    modules: Any = SimpleNamespace(compliance=SimpleNamespace(consents=consents))
    service = consultations.setup(
        context,
        appointments=_Lookup(neighbours.appointments),
        people=_Lookup(neighbours.people),
        prescriptions=_Prescriptions(),
        invoices=_Invoices(),
        visits=neighbours,
        consents=for_consultations.Consents(modules),
    )
    patient, doctor = neighbours.person("Moussa Traoré"), neighbours.person("Awa Diop")
    visit = neighbours.appointment(patient, doctor)
    client = await make_client(context)
    return Clinic(context, service, neighbours, client, TokenSessions(context), patient, doctor, visit)


async def test_anonymous_and_the_wrong_person_get_nothing(clinic: Clinic) -> None:
    calls: list[tuple[str, str, Any]] = [
        ("GET", f"/appointments/{clinic.visit}/video-token", None),
        ("POST", f"/appointments/{clinic.visit}/probe-token", None),
        ("POST", f"/consultations/{clinic.visit}/invitations", {"role": "guest", "name": "X"}),
        ("GET", f"/consultations/{clinic.visit}", None),
        ("GET", f"/consultations/{clinic.visit}/notes", None),
        ("PUT", f"/consultations/{clinic.visit}/notes", {"text": "x", "version": 0}),
        ("POST", f"/consultations/{clinic.visit}/complete", {"summary": "x"}),
        ("GET", f"/consultations/{clinic.visit}/files/{uuid7()}", None),
    ]
    strangers: list[tuple[UUID, Role]] = [
        (uuid7(), "patient"),
        (uuid7(), "practitioner"),
        (clinic.patient, "practitioner"),
        (clinic.doctor, "patient"),
        (uuid7(), "desk"),
        (uuid7(), "admin"),
    ]
    for method, path, body in calls:
        status, problem = await clinic.call(None, method, path, body)
        assert (status, problem["code"]) == (401, "not_signed_in"), path
        for stranger in strangers:
            status, problem = await clinic.call(stranger, method, path, body)
            assert (status, problem["code"]) == (403, "forbidden"), path
    for path in ("/complete", "/notes"):
        body = {"summary": "x"} if path == "/complete" else {"text": "x", "version": 0}
        method = "POST" if path == "/complete" else "PUT"
        status, _ = await clinic.call(clinic.as_patient, method, f"/consultations/{clinic.visit}{path}", body)
        assert status == 403
    assert (await clinic.call(clinic.as_patient, "POST", "/practice/token"))[0] == 403
    assert (await clinic.call(clinic.as_patient, "GET", f"/appointments/{uuid7()}/video-token"))[0] == 404


async def test_a_visit_token_is_for_the_window_and_the_verified(clinic: Clinic) -> None:
    status, token = await clinic.call(clinic.as_patient, "GET", f"/appointments/{clinic.visit}/video-token")
    assert status == 200
    assert token["namespace"] == "/consultation"
    assert token["ice_servers"] == []
    assert token["participant_id"] == str(clinic.patient)
    claims = clinic.context.tokens.verify(token["token"], "visit")
    assert claims.extra["appointment_id"] == str(clinic.visit)
    for starts_in in (timedelta(hours=2), timedelta(hours=-3)):
        closed = clinic.neighbours.appointment(clinic.patient, clinic.doctor, starts_in)
        status, problem = await clinic.call(clinic.as_patient, "GET", f"/appointments/{closed}/video-token")
        assert (status, problem["code"]) == (409, "visit_not_open")
        assert problem["opens_at"] < problem["closes_at"]
    unverified = clinic.neighbours.person("New", verified=False)
    theirs = clinic.neighbours.appointment(unverified, clinic.doctor)
    status, problem = await clinic.call((unverified, "patient"), "GET", f"/appointments/{theirs}/video-token")
    assert (status, problem["code"]) == (403, "account_not_verified")


async def test_notes_are_versioned_and_never_lost(clinic: Clinic) -> None:
    path = f"/consultations/{clinic.visit}/notes"
    assert (await clinic.call(clinic.as_doctor, "GET", path))[1] == {"text": "", "version": 0, "saved_at": None}
    status, saved = await clinic.call(clinic.as_doctor, "PUT", path, {"text": "first", "version": 0})
    assert (status, saved["version"]) == (200, 1)
    status, problem = await clinic.call(clinic.as_doctor, "PUT", path, {"text": "other", "version": 0})
    assert (status, problem["code"]) == (409, "version_conflict")
    assert (await clinic.call(clinic.as_doctor, "GET", path))[1]["text"] == "first"
    status, problem = await clinic.call(clinic.as_doctor, "PUT", path, {"text": 5, "version": "x", "more": 1})
    assert (status, problem["code"]) == (400, "invalid_input")


async def test_completing_is_said_once_and_told_to_the_live_visit(clinic: Clinic) -> None:
    path = f"/consultations/{clinic.visit}/complete"
    status, view = await clinic.call(clinic.as_doctor, "POST", path, {"summary": "Rest and water", "outcome": "home"})
    assert (status, view["status"], view["summary"]) == (200, "completed", "Rest and water")
    assert clinic.neighbours.told == [clinic.visit]
    status, problem = await clinic.call(clinic.as_doctor, "POST", path, {"summary": "Again"})
    assert (status, problem["code"]) == (409, "invalid_transition")
    status, seen = await clinic.call(clinic.as_patient, "GET", f"/consultations/{clinic.visit}")
    assert (status, seen["summary"], seen["outcome"]) == (200, "Rest and water", "home")
    async with clinic.context.database("core").reading() as tx:
        names = await tx.fetch("SELECT name, payload FROM core.outbox WHERE order_key = $1", clinic.visit)
        actions = await tx.fetch("SELECT action FROM core.audit_log WHERE resource_id = $1", str(clinic.visit))
    assert [row["name"] for row in names] == ["consultation.completed"]
    assert "Rest" not in str(names)
    assert {"consultation.completed", "consultation.read"} <= {row["action"] for row in actions}


async def test_nothing_is_kept_in_clear(clinic: Clinic) -> None:
    word = "Tachycardia"
    base = f"/consultations/{clinic.visit}"
    await clinic.call(clinic.as_doctor, "PUT", f"{base}/notes", {"text": word, "version": 0})
    await clinic.call(clinic.as_doctor, "POST", f"{base}/complete", {"summary": word, "outcome": word})
    async with clinic.context.database("consultations").reading() as tx:
        for table in ("consultations", "notes"):
            for row in await tx.fetch(f"SELECT * FROM {table}"):  # noqa: S608 - the names stand above
                assert word.encode() not in b"".join(v for v in row.values() if isinstance(v, bytes))
                assert word not in str([v for v in row.values() if not isinstance(v, bytes)])


async def test_an_invitation_is_redeemed_once(clinic: Clinic) -> None:
    body = {"role": "interpreter", "name": "Binta Ly"}
    status, made = await clinic.call(clinic.as_doctor, "POST", f"/consultations/{clinic.visit}/invitations", body)
    assert status == 201
    secret = made["url"].partition("#")[2]
    assert len(secret) > 30
    status, session = await clinic.call(None, "POST", "/invitations/redeem", {"secret": secret})
    assert (status, session["name"], session["role"]) == (200, "Binta Ly", "interpreter")
    for wrong in (secret, "x" * 32):
        status, problem = await clinic.call(None, "POST", "/invitations/redeem", {"secret": wrong})
        assert (status, problem["code"]) == (410, "invitation_gone")
    guest = {"Authorization": f"Bearer {session['guest_token']}"}
    status, token = await clinic.call(None, "GET", "/guest/video-token", headers=guest)
    assert (status, token["participant_id"]) == (200, made["id"])
    assert (await clinic.call(None, "GET", f"/consultations/{clinic.visit}", headers=guest))[0] == 401
    access = clinic.sessions.sign_in(clinic.patient)
    assert (await clinic.call(None, "GET", "/guest/video-token", headers=access))[0] == 401
    async with clinic.context.database("consultations").transaction() as tx:
        await clinic.service.invitations.revoke(tx, UUID(made["id"]), datetime.now(UTC))
    assert (await clinic.call(None, "GET", "/guest/video-token", headers=guest))[0] == 410


async def test_a_link_runs_out_and_its_secret_is_kept_nowhere(clinic: Clinic) -> None:
    body = {"role": "guest", "name": "Coumba Kane"}
    _, made = await clinic.call(clinic.as_doctor, "POST", f"/consultations/{clinic.visit}/invitations", body)
    secret = made["url"].partition("#")[2]
    async with clinic.context.database("consultations").transaction() as tx:
        row = await tx.fetchrow("SELECT * FROM invitations WHERE id = $1", UUID(made["id"]))
        assert row is not None
        assert secret not in str(list(row.values()))
        assert secret.encode() not in b"".join(value for value in row.values() if isinstance(value, bytes))
        await tx.execute("UPDATE invitations SET expires_at = now() - interval '1 s' WHERE id = $1", UUID(made["id"]))
    status, problem = await clinic.call(None, "POST", "/invitations/redeem", {"secret": secret})
    assert (status, problem["code"]) == (410, "invitation_gone")


async def test_files_are_checked_encrypted_and_shown_to_the_two(clinic: Clinic) -> None:
    path = f"/consultations/{clinic.visit}/files"

    async def upload(who: tuple[UUID, Role], content: bytes, name: str = "file") -> tuple[int, dict[str, Any]]:
        form = FormData(quote_fields=False)  # as browsers do
        form.add_field(name, content, filename="../rash.png", content_type="image/png")
        headers = clinic.sessions.sign_in(*who)
        answer = await clinic.client.post(f"/api/v1{path}", data=form, headers=headers)
        return answer.status, await answer.json()

    assert (await upload((uuid7(), "patient"), PNG))[0] == 403
    assert (await upload(clinic.as_patient, b"<svg/>"))[1]["code"] == "unsupported_media_type"
    assert (await upload(clinic.as_patient, b""))[1]["code"] == "invalid_input"
    assert (await upload(clinic.as_patient, PNG, name="other"))[1]["code"] == "invalid_input"
    assert (await upload(clinic.as_patient, PNG + bytes(11 * 1024 * 1024)))[1]["code"] == "body_too_large"
    assert (await clinic.call(clinic.as_patient, "POST", path, {"json": 1}))[0] in (400, 415)
    status, made = await upload(clinic.as_patient, PNG)
    assert (status, made["name"], made["size"], made["content_type"]) == (201, "rash.png", len(PNG), "image/png")
    own = await clinic.client.get(
        f"/api/v1{path}/{made['file_id']}", headers=clinic.sessions.sign_in(clinic.patient, "patient")
    )
    assert (own.status, await own.read(), own.content_type) == (200, PNG, "image/png")
    # The practitioner sees it once it was sent.
    assert (await clinic.call(clinic.as_doctor, "GET", f"{path}/{made['file_id']}"))[0] == 404
    await clinic.service.conversation.send(
        clinic.visit,
        clinic.patient,
        role="patient",
        name="M",
        client_id="1",
        text=None,
        file_id=UUID(made["file_id"]),
        audience="all",
    )
    doctor = clinic.sessions.sign_in(clinic.doctor, "practitioner")
    answer = await clinic.client.get(f"/api/v1{path}/{made['file_id']}", headers=doctor)
    assert (answer.status, await answer.read()) == (200, PNG)
    assert (await clinic.call((uuid7(), "practitioner"), "GET", f"{path}/{made['file_id']}"))[0] == 403


async def test_the_invited_share_files_of_their_own_time_alone(clinic: Clinic) -> None:
    """Before they are let in nothing; afterwards what is sent to all, not what was sent before, nor to clinicians."""

    async def upload(path: str, headers: dict[str, str]) -> tuple[int, dict[str, Any]]:
        form = FormData(quote_fields=False)
        form.add_field("file", PNG, filename="letter.png", content_type="image/png")
        answer = await clinic.client.post(f"/api/v1{path}", data=form, headers=headers)
        return answer.status, await answer.json()

    async def send(who: UUID, role: str, file: dict[str, Any], audience: Any = "all") -> None:
        await clinic.service.conversation.send(
            clinic.visit,
            who,
            role=role,
            name="N",
            client_id=file["file_id"],
            text=None,
            file_id=UUID(file["file_id"]),
            audience=audience,
        )

    async def read(file: dict[str, Any], headers: dict[str, str]) -> int:
        answer = await clinic.client.get(f"/api/v1/guest/files/{file['file_id']}", headers=headers)
        return answer.status

    files = f"/consultations/{clinic.visit}/files"
    doctor = clinic.sessions.sign_in(clinic.doctor, "practitioner")
    _, before = await upload(files, doctor)
    await send(clinic.doctor, "practitioner", before)
    _, made = await clinic.call(
        clinic.as_doctor, "POST", f"/consultations/{clinic.visit}/invitations", {"role": "guest", "name": "Binta"}
    )
    _, session = await clinic.call(None, "POST", "/invitations/redeem", {"secret": made["url"].partition("#")[2]})
    guest = {"Authorization": f"Bearer {session['guest_token']}"}
    assert (await upload("/guest/files", {}))[0] == 401
    assert (await upload("/guest/files", doctor))[0] == 401
    assert (await upload("/guest/files", guest))[0] == 403
    assert await read(before, guest) == 403

    await clinic.service.course.joined(clinic.visit, UUID(made["id"]), "guest", datetime.now(UTC))
    assert await read(before, guest) == 404
    _, after = await upload(files, doctor)
    assert await read(after, guest) == 404  # not sent yet
    await send(clinic.doctor, "practitioner", after)
    _, private = await upload(files, doctor)
    await send(clinic.doctor, "practitioner", private, "clinicians")
    status, own = await upload("/guest/files", guest)
    assert status == 201
    await send(UUID(made["id"]), "guest", own)
    assert [await read(each, guest) for each in (after, private, own)] == [200, 404, 200]
    assert (await clinic.client.get(f"/api/v1{files}/{own['file_id']}", headers=doctor)).status == 200
    await clinic.client.delete(f"/api/v1/consultations/{clinic.visit}/invitations/{made['id']}", headers=doctor)
    assert await read(after, guest) == 410
    assert (await upload("/guest/files", guest))[0] == 410
