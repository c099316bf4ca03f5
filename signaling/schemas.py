"""What clients send, event by event (``docs/protocol.md``, "Socket.IO"). Unknown fields are refused."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

MAX_SDP = 100_000  # an offer with three simulcast sources is about 20 kB
Sdp = Annotated[str, Field(min_length=1, max_length=MAX_SDP)]
Source = Literal["camera", "microphone", "screen"]
Code = Annotated[str, Field(min_length=1, max_length=64)]
Generation = Annotated[int, Field(ge=0, le=2**31)]
Count = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]
Text = Annotated[str, Field(min_length=1, max_length=4000)]


class Payload(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Empty(Payload):
    pass


class TokenAuth(Payload):
    token: str = Field(min_length=1, max_length=4096)


class ResumeAuth(Payload):
    resume_token: str = Field(max_length=256)
    last_seq: int = Field(ge=0, le=2**53)


class QueueAuth(Payload):
    token: str = Field(min_length=1, max_length=4096)
    drop_in_id: UUID


class PublishedTrack(Payload):
    mid: Code
    source: Source


class MediaPublish(Payload):
    generation: Generation
    sdp: Sdp
    tracks: list[PublishedTrack] = Field(max_length=8)


class MediaAnswer(Payload):
    generation: Generation
    negotiation: int = Field(ge=0, le=2**31)
    sdp: Sdp


class MediaPrefer(Payload):
    track_id: Code
    max_height: int | None = Field(None, ge=0, le=8640)
    paused: bool | None = None


class MediaMute(Payload):
    source: Source
    muted: bool


class MediaReport(Payload):
    freezes: Count = 0
    frozen_ms: Count = 0
    concealed: Count = 0
    audio_samples: Count = 0
    round_trip_ms: Count | None = None
    loss: float | None = Field(None, ge=0, le=1, allow_inf_nan=False)
    available_bps: Count | None = None  # what the browser thinks it can send


class ChatSend(Payload):
    client_id: Code
    text: Text | None = None
    file_id: UUID | None = None
    audience: Literal["all", "clinicians"] = "all"

    @model_validator(mode="after")
    def _has_content(self) -> ChatSend:
        if self.text is None and self.file_id is None:
            raise ValueError("text or file_id is needed")
        return self


class ChatEdit(Payload):
    message_id: UUID
    text: Text


class ChatRead(Payload):
    message_id: UUID


class ChatHistory(Payload):
    before: UUID | None = None


class Hand(Payload):
    raised: bool


class WaitingTarget(Payload):
    appointment_id: UUID
    participant_id: UUID
    reason: str | None = Field(None, max_length=200)


class WaitingTransfer(WaitingTarget):
    practitioner_id: UUID
    note: str | None = Field(None, max_length=1000)


class PersonInVisit(Payload):
    appointment_id: UUID
    participant_id: UUID


class CallPin(Payload):
    participant_id: UUID | None


class CallMode(Payload):
    mode: Literal["phone", "chat", "auto"]


class InterpreterRequest(Payload):
    language: str = Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=20)


class PracticeLate(Payload):
    late_s: int = Field(ge=0, le=8 * 3600)


class PracticeChat(Payload):
    appointment_id: UUID
    text: Text
    client_id: Code


class ProbeStart(Payload):
    transport: Literal["udp", "tcp", "relay"]
    sdp: Sdp


class ProbeResult(Payload):
    probe_id: UUID
    verdict: Literal["good", "fair", "poor"]
    throughput_up_kbps: Count
    throughput_down_kbps: Count
    loss: float = Field(ge=0, le=1, allow_inf_nan=False)
    round_trip_ms: Count
    jitter_ms: Count = 0
    reason: Literal["loss", "delay", "bandwidth", "unreachable"] | None = None
