"""Wire shapes of the visit (``docs/protocol.md``, "Visit")."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from core.http.routes import Wire


class IceServer(Wire):
    urls: list[str]
    username: str | None = None
    credential: str | None = None


class VideoToken(Wire):
    token: str
    expires_at: str
    namespace: Literal["/consultation"] = "/consultation"
    ice_servers: list[IceServer]
    participant_id: UUID


class ProbeToken(Wire):
    token: str
    expires_at: str
    namespace: Literal["/probe"] = "/probe"
    ice_servers: list[IceServer]
    ice_transport_policy: Literal["all", "relay"]


class PracticeToken(Wire):
    token: str
    expires_at: str
    namespace: Literal["/practice"] = "/practice"


class Invite(Wire):
    role: Literal["interpreter", "guest"]
    name: str = Field(min_length=1, max_length=100)


class Invitation(Wire):
    id: UUID
    url: str
    expires_at: str


class InvitationInfo(Wire):
    """A link as it stands; its secret was shown once and is not kept."""

    id: UUID
    role: Literal["interpreter", "guest"]
    name: str
    created_at: str
    expires_at: str
    redeemed_at: str | None
    revoked_at: str | None
    state: Literal["open", "redeemed", "revoked", "expired"]


class InvitationList(Wire):
    items: list[InvitationInfo]


class Redeem(Wire):
    secret: str = Field(min_length=20, max_length=100)


class GuestSession(Wire):
    guest_token: str
    expires_at: str
    appointment_id: UUID
    role: Literal["interpreter", "guest"]
    name: str


class FileView(Wire):
    file_id: UUID
    name: str
    size: int
    content_type: str


class ChatMessage(Wire):
    message_id: UUID
    client_id: str
    participant_id: UUID
    name: str
    role: str
    audience: Literal["all", "clinicians"]
    text: str | None
    file: FileView | None
    sent_at: str
    edited_at: str | None


class ChatMarks(Wire):
    """Everything up to these messages has arrived at this person's device, was seen there."""

    participant_id: UUID
    delivered: UUID | None
    read: UUID | None


class Stay(Wire):
    """``for_name``: the patient whom ``name`` acted for."""

    name: str
    for_name: str | None = None
    role: str
    joined_at: str
    left_at: str | None


class Attendance(Wire):
    outcome: str | None
    evidence: dict[str, Any]


class ConsultationView(Wire):
    id: UUID
    appointment_id: UUID
    patient_id: UUID
    practitioner_id: UUID
    status: Literal["planned", "in-progress", "completed", "cancelled"]
    started_at: str | None
    ended_at: str | None
    completed_at: str | None
    summary: str | None
    outcome: str | None
    participants: list[Stay]
    attendance: Attendance
    chat: list[ChatMessage]
    chat_marks: list[ChatMarks]
    prescriptions: list[dict[str, Any]]
    invoice: dict[str, Any] | None
    recordings: list[dict[str, Any]]


Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
Phone = Annotated[str, Field(pattern=r"^\+[1-9][0-9]{6,14}$")]  # E.164
Language = Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=20)]


class RedFlag(Wire):
    code: str
    text: str


class SaveCheckIn(Wire):
    """Both confirmations are needed: a check-in without them is none."""

    identity_confirmed: Literal[True]
    red_flags_read: Literal[True]
    country: Country
    place: str = Field(min_length=2, max_length=200)
    callback_phone: Phone
    language: Language = "en"


class AgreeToVideo(Wire):
    """``version`` and ``language`` of the text that was read."""

    version: int = Field(ge=1)
    language: Literal["en", "fr"]


class VisitConsent(Wire):
    version: int
    language: str
    title: str
    body: str


class CheckInQuery(Wire):
    country: Country | None = None
    language: Language = "en"


class CheckInView(Wire):
    appointment_id: UUID
    done: bool
    name: str
    birth_date: str | None
    country: str | None
    place: str | None
    callback_phone: str | None
    confirmed_at: str | None
    licensed_here: bool | None
    emergency_number: str | None
    red_flags: list[RedFlag]
    consent: VisitConsent | None = Field(description="What the patient has yet to agree to before being let in")


class LicencePlaces(Wire):
    countries: list[Country] = Field(max_length=60)


class Languages(Wire):
    languages: list[Language] = Field(min_length=1, max_length=20)


class InterpreterView(Wire):
    person_id: UUID
    name: str
    languages: list[str]
    on_duty: bool


class InterpreterList(Wire):
    items: list[InterpreterView]


class OnDuty(Wire):
    on_duty: bool


class InterpreterOffer(Wire):
    id: UUID
    language: str
    expires_at: str


class Interpreting(Wire):
    languages: list[str]
    on_duty: bool
    offers: list[InterpreterOffer]


class SaveNotes(Wire):
    text: str = Field(max_length=50_000)
    version: int = Field(ge=0)


class Notes(Wire):
    text: str
    version: int
    saved_at: str | None


class Complete(Wire):
    summary: str = Field(min_length=1, max_length=20_000)
    outcome: str | None = Field(None, max_length=200)
