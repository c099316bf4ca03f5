"""Wire shapes of the visit (``docs/protocol.md``, "Visit")."""

from __future__ import annotations

from typing import Any, Literal
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


class Stay(Wire):
    name: str
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
    prescriptions: list[dict[str, Any]]
    invoice: dict[str, Any] | None
    recordings: list[dict[str, Any]]


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
