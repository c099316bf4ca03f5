"""The durable visit: tokens to enter it, its notes, its completion, its whole."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from consultations import lifecycle, repository
from consultations.check_in import CheckIns
from consultations.conversation import Conversation
from consultations.course import Course, facts_about
from consultations.errors import NotesChanged, NotVerified
from consultations.events import ConsultationCompleted
from consultations.guests import Guests
from consultations.interpreting import InterpreterSearch
from consultations.invitations import Invitations
from consultations.personal import Personal
from consultations.ports import AppointmentInfo, Appointments, Consents, Invoices, People, Prescriptions, Visits
from consultations.repository import Consultation, NotesRow
from consultations.schemas import (
    Attendance,
    ChatMessage,
    ConsultationView,
    IceServer,
    Notes,
    PracticeToken,
    ProbeToken,
    Stay,
    VideoToken,
)
from core.clock import rfc3339
from core.context import Context
from core.database import Transaction
from core.errors import Forbidden, NotFound
from core.ids import uuid7
from core.security.policy import Relation
from core.security.principal import Principal
from core.security.proxies import Authority, to_patient
from core.turn import ice_servers

log = logging.getLogger(__name__)

# Long enough to open a page and connect; the live session's resume token takes over from there.
TOKEN_LIFETIME = timedelta(minutes=5)


async def relations(principal: Principal, found: AppointmentInfo, authority: Authority) -> list[Relation]:
    """How the acting person stands to a visit, in the role they act in."""
    if principal.role == "practitioner" and principal.person_id == found.practitioner_id:
        return ["own"]
    return await to_patient(principal, found.patient_id, authority)


def seat_of(principal: Principal, found: AppointmentInfo) -> UUID:
    """Where somebody sits whom the policy let in: whoever acts for the patient has the patient's seat."""
    return found.patient_id if principal.role == "patient" else principal.id


@dataclass(frozen=True, slots=True)
class GuestPlace:
    consultation_id: UUID
    patient_id: UUID
    since: datetime


class Consultations:
    def __init__(
        self,
        context: Context,
        *,
        appointments: Appointments,
        people: People,
        prescriptions: Prescriptions,
        invoices: Invoices,
        visits: Visits,
        consents: Consents,
        conversation: Conversation,
        invitations: Invitations,
        authority: Authority,
    ) -> None:
        self._context = context
        self._database = context.database("consultations")
        self._appointments = appointments
        self._people = people
        self._prescriptions = prescriptions
        self._invoices = invoices
        self._visits = visits
        self._authority = authority
        self.personal = Personal(context)
        self.conversation = conversation
        self.invitations = invitations
        self.guests = Guests(context, invitations, visits, self._may)
        self.check_ins = CheckIns(context, people, visits, consents, self._may)
        self.interpreters = InterpreterSearch(
            context,
            appointments=appointments,
            people=people,
            visits=visits,
            invitations=invitations,
            guests=self.guests,
        )
        self.course = Course(
            context,
            appointments=appointments,
            people=people,
            invitations=invitations,
            consents=consents,
            authority=authority,
        )

    # Tokens

    async def video_token(self, principal: Principal, appointment_id: UUID) -> VideoToken:
        """For the patient, whoever attends for them, or the practitioner: verified, within the window."""
        found = await self._may(principal, "consultation.join", appointment_id)
        person = await self._people.get(principal.id)
        if person is None or not person.verified:
            raise NotVerified()
        now = self._context.clock.now()
        lifecycle.require_open(found.status, found.opens_at, found.closes_at, now)
        async with self._database.transaction() as tx:
            await repository.ensure(tx, appointment_id, found.patient_id, found.practitioner_id)
            await self._audit(tx, principal, "consultation.token_issued", found.patient_id, appointment_id)
        return self._video_token(seat_of(principal, found), principal.role, found, now, principal)

    async def guest_video_token(self, principal: Principal) -> VideoToken:
        """For somebody who redeemed an invitation; refused once it was withdrawn."""
        invitation = await self.invitations.living(principal.id)
        found = await self._appointment(invitation.consultation_id)
        now = self._context.clock.now()
        lifecycle.require_open(found.status, found.opens_at, found.closes_at, now)
        return self._video_token(invitation.id, invitation.role, found, now)

    async def guest_place(self, principal: Principal) -> GuestPlace:
        """Where somebody who came by invitation is, and since when; refused to who was never let in."""
        invitation = await self.invitations.living(principal.id)
        found = await self._appointment(invitation.consultation_id)
        lifecycle.require_open(found.status, found.opens_at, found.closes_at, self._context.clock.now())
        async with self._database.reading() as tx:
            since = await repository.first_joined(tx, found.id, invitation.id)
        if since is None:
            raise Forbidden()
        return GuestPlace(found.id, found.patient_id, since)

    def _video_token(
        self,
        participant_id: UUID,
        role: str,
        found: AppointmentInfo,
        now: datetime,
        who: Principal | None = None,
    ) -> VideoToken:
        lifetime = lifecycle.token_lifetime(now, found.closes_at, TOKEN_LIFETIME)
        token = self._context.tokens.issue(
            "visit", participant_id, lifetime, appointment_id=str(found.id), role=role, **_bound(who, participant_id)
        )
        return VideoToken(
            token=token,
            expires_at=rfc3339(now + lifetime),
            ice_servers=self._ice_servers(participant_id, now),
            participant_id=participant_id,
        )

    def _ice_servers(self, person_id: UUID, now: datetime) -> list[IceServer]:
        media = self._context.settings.media
        offered = ice_servers(media.turn_urls, media.turn_secret.get_secret_value(), person_id, now)
        return [IceServer(**each) for each in offered]

    async def probe_token(self, principal: Principal, appointment_id: UUID) -> ProbeToken:
        """For a network test before the visit; also outside its window."""
        found = await self._may(principal, "consultation.join", appointment_id)
        now = self._context.clock.now()
        return ProbeToken(
            token=self._context.tokens.issue(
                "probe",
                seat_of(principal, found),
                TOKEN_LIFETIME,
                appointment_id=str(found.id),
                role=principal.role,
                **_bound(principal, seat_of(principal, found)),
            ),
            expires_at=rfc3339(now + TOKEN_LIFETIME),
            ice_servers=self._ice_servers(principal.id, now),
            ice_transport_policy=self._context.settings.media.ice_transport_policy,
        )

    async def practice_token(self, principal: Principal) -> PracticeToken:
        self._context.policy.require(principal, "practice.open")
        now = self._context.clock.now()
        person = await self._people.get(principal.id)
        token = self._context.tokens.issue(
            "practice",
            principal.id,
            TOKEN_LIFETIME,
            role=principal.role,
            name="" if person is None else person.name,
            **_bound(principal, principal.id),
        )
        return PracticeToken(token=token, expires_at=rfc3339(now + TOKEN_LIFETIME))

    # Completing, notes, the whole

    async def complete(
        self, principal: Principal, appointment_id: UUID, summary: str, outcome: str | None
    ) -> ConsultationView:
        """The practitioner's act. It also ends the call, after the commit."""
        found = await self._may(principal, "consultation.complete", appointment_id)
        now = self._context.clock.now()
        vault = self._context.vault
        sealed = await vault.encrypt_text(found.patient_id, _place(appointment_id, "summary"), summary)
        sealed_outcome = (
            None
            if outcome is None
            else await vault.encrypt_text(found.patient_id, _place(appointment_id, "outcome"), outcome)
        )
        async with self._database.transaction() as tx:
            await repository.ensure(tx, appointment_id, found.patient_id, found.practitioner_id)
            row = await repository.get(tx, appointment_id, lock=True)
            assert row is not None, "just ensured"
            status = lifecycle.after(row.status, "complete")
            await repository.set_completed(tx, appointment_id, status, now, sealed, sealed_outcome)
            await self._audit(tx, principal, "consultation.completed", found.patient_id, appointment_id)
            await tx.publish(ConsultationCompleted(**facts_about(row)))
        await self._tell_over(appointment_id)
        return await self.view(principal, appointment_id)

    async def save_notes(self, principal: Principal, appointment_id: UUID, text: str, version: int) -> Notes:
        """``version`` is the one that was read (0 before the first)."""
        found = await self._may(principal, "consultation.notes", appointment_id)
        now = self._context.clock.now()
        sealed = await self._context.vault.encrypt_text(
            found.patient_id, _place(appointment_id, f"notes/{version + 1}"), text
        )
        async with self._database.transaction() as tx:
            await repository.ensure(tx, appointment_id, found.patient_id, found.practitioner_id)
            await repository.get(tx, appointment_id, lock=True)
            latest = await repository.latest_notes(tx, appointment_id)
            if (0 if latest is None else latest.version) != version:
                raise NotesChanged()
            await repository.add_notes(tx, appointment_id, NotesRow(version + 1, principal.id, sealed, now))
            await self._audit(tx, principal, "consultation.notes_saved", found.patient_id, appointment_id)
        return Notes(text=text, version=version + 1, saved_at=rfc3339(now))

    async def notes(self, principal: Principal, appointment_id: UUID) -> Notes:
        found = await self._may(principal, "consultation.notes", appointment_id)
        async with self._database.transaction() as tx:
            latest = await repository.latest_notes(tx, appointment_id)
            await self._audit(tx, principal, "consultation.notes_read", found.patient_id, appointment_id)
        if latest is None:
            return Notes(text="", version=0, saved_at=None)
        place = _place(appointment_id, f"notes/{latest.version}")
        text = await self._context.vault.decrypt_text(found.patient_id, place, latest.text)
        return Notes(text=text, version=latest.version, saved_at=rfc3339(latest.saved_at))

    async def view(self, principal: Principal, appointment_id: UUID) -> ConsultationView:
        """The visit with its chat, prescriptions and bill, as this person may see it."""
        found = await self._may(principal, "consultation.read", appointment_id)
        async with self._database.transaction() as tx:
            await repository.ensure(tx, appointment_id, found.patient_id, found.practitioner_id)
            row = await repository.get(tx, appointment_id)
            assert row is not None, "just ensured"
            stays = await repository.stays(tx, appointment_id)
            await self._audit(tx, principal, "consultation.read", found.patient_id, appointment_id)
        chat = await self.conversation.transcript(
            appointment_id, found.patient_id, clinician=principal.role == "practitioner"
        )
        return ConsultationView(
            id=row.id,
            appointment_id=row.id,
            patient_id=row.patient_id,
            practitioner_id=row.practitioner_id,
            status=row.status,
            started_at=_time(row.started_at),
            ended_at=_time(row.ended_at),
            completed_at=_time(row.completed_at),
            summary=await self._open(row, "summary", row.summary),
            outcome=await self._open(row, "outcome", row.outcome),
            participants=await self._stays(row, stays),
            attendance=Attendance(outcome=row.attendance_outcome, evidence=row.attendance_evidence),
            chat=chat,
            chat_marks=await self.conversation.marks(appointment_id, clinician=principal.role == "practitioner"),
            prescriptions=await self._prescriptions.for_appointment(appointment_id),
            invoice=await self._invoices.for_appointment(appointment_id),
            recordings=[],
        )

    async def summary_of(self, appointment_id: UUID) -> tuple[str | None, str | None]:
        """Summary and outcome in clear, for the patient's record; who asks has been checked by the caller."""
        async with self._database.reading() as tx:
            row = await repository.get(tx, appointment_id)
        if row is None:
            return None, None
        return await self._open(row, "summary", row.summary), await self._open(row, "outcome", row.outcome)

    async def transfer(
        self, principal: Principal, appointment_id: UUID, to: UUID, note: str | None
    ) -> tuple[str, str, ChatMessage | None]:
        """Hand the visit to a colleague, with a note that is theirs alone. Returns their name and title, and the note.

        Raises NotFound, Forbidden, what says that they can't take it.
        """
        found = await self._appointment(appointment_id)
        await self._appointments.transfer(principal, appointment_id, to)
        async with self._database.transaction() as tx:
            await repository.ensure(tx, appointment_id, found.patient_id, to)
            await repository.set_practitioner(tx, appointment_id, found.practitioner_id, to)
        message = None
        if note is not None:
            by = await self._people.get(principal.id)
            message = await self.conversation.send(
                appointment_id,
                principal.id,
                role=principal.role,
                name="" if by is None else by.name,
                client_id=f"transfer-{uuid7()}",
                text=note,
                file_id=None,
                audience="clinicians",
            )
        colleague = await self._people.get(to)
        return ("", "", message) if colleague is None else (colleague.name, colleague.title, message)

    async def transferred(self, tx: Transaction, appointment_id: UUID, previous: UUID, practitioner_id: UUID) -> None:
        """The appointment is a colleague's; in the transaction of its fact."""
        await repository.set_practitioner(tx, appointment_id, previous, practitioner_id)

    async def cancelled(self, tx: Transaction, appointment_id: UUID) -> None:
        """The appointment was cancelled; in the transaction of its fact."""
        await repository.set_cancelled(tx, appointment_id)
        # With the appointment goes the relation: whoever is in the call or waits leaves at once.
        tx.after_commit(partial(self._tell_over, appointment_id))

    async def open_file(self, principal: Principal, appointment_id: UUID, file_id: UUID) -> tuple[str, str, bytes]:
        """Name, content type and content of a file that was sent in the chat. Raises Forbidden, NotFound."""
        found = await self.require(principal, "consultation.files", appointment_id)
        clinician = principal.role == "practitioner"
        return await self.conversation.open_file(
            principal, found.id, found.patient_id, file_id, clinician=clinician, seat=seat_of(principal, found)
        )

    # Helpers

    async def _tell_over(self, appointment_id: UUID) -> None:
        try:
            await self._visits.completed(appointment_id)
        except Exception:
            # The visit is over whatever the live side does; its own window ends it at the latest.
            log.exception("live_visit_not_told", extra={"appointment_id": str(appointment_id)})

    async def require(self, principal: Principal, action: str, appointment_id: UUID) -> AppointmentInfo:
        """The appointment, if the policy lets this person do ``action`` to its visit; else 403, 404."""
        found = await self._may(principal, action, appointment_id)
        async with self._database.transaction() as tx:
            await repository.ensure(tx, appointment_id, found.patient_id, found.practitioner_id)
        return found

    async def _may(self, principal: Principal, action: str, appointment_id: UUID) -> AppointmentInfo:
        found = await self._appointment(appointment_id)
        self._context.policy.require(principal, action, await relations(principal, found, self._authority))
        return found

    async def _appointment(self, appointment_id: UUID) -> AppointmentInfo:
        found = await self._appointments.get(appointment_id)
        if found is None:
            raise NotFound()
        return found

    async def _audit(
        self, tx: Transaction, principal: Principal, action: str, patient_id: UUID, resource_id: UUID
    ) -> None:
        await tx.audit(
            action,
            actor_id=principal.person_id,
            actor_role=principal.role,
            resource="consultation",
            resource_id=resource_id,
            patient_id=patient_id,
        )

    async def _open(self, row: Consultation, field: str, sealed: bytes | None) -> str | None:
        if sealed is None:
            return None
        return await self._context.vault.decrypt_text(row.patient_id, _place(row.id, field), sealed)

    async def _stays(self, row: Consultation, stays: Sequence[repository.StayRow]) -> list[Stay]:
        names: dict[UUID, str] = {}
        for stay in stays:
            if stay.participant_id not in names:
                names[stay.participant_id] = await self._name(row, stay)
            if stay.acted_by is not None and stay.acted_by not in names:
                person = await self._people.get(stay.acted_by)
                names[stay.acted_by] = "" if person is None else person.name
        return [
            Stay(
                name=names[each.acted_by or each.participant_id],
                for_name=names[each.participant_id] if each.acted_by else None,
                role=each.role,
                joined_at=rfc3339(each.joined_at),
                left_at=_time(each.left_at),
            )
            for each in stays
        ]

    async def _name(self, row: Consultation, stay: repository.StayRow) -> str:
        if stay.role in ("interpreter", "guest"):
            invitation = await self.invitations.get(stay.participant_id)
            return "" if invitation is None else await self.invitations.name_of(invitation, row.patient_id)
        person = await self._people.get(stay.participant_id)
        return "" if person is None else person.name


def _bound(who: Principal | None, participant_id: UUID) -> dict[str, str]:
    """What ties a token to the sign-in that asked for it, and to authority over the patient whose seat it is for.

    Live connections end with either.
    """
    if who is None:
        return {}
    bound = {} if who.session_id is None else {"session": str(who.session_id)}
    return bound if who.id == participant_id else {**bound, "by": str(who.id)}


def _place(consultation_id: UUID, field: str) -> str:
    return f"consultation/{consultation_id}/{field}"


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)
