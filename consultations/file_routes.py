"""HTTP of pictures and documents in the chat: for patient and practitioner, and for whoever was invited."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from aiohttp import BodyPartReader, web

from consultations.errors import InvitationGone, UnsupportedFile, VisitNotOpen
from consultations.schemas import FileView
from consultations.service import Consultations, seat_of
from consultations.uploads import MAX_FILE_BYTES
from core.errors import BodyTooLarge, Forbidden, InvalidInput, NotFound
from core.http.routes import Answer, Call, Routes

NO_STORE = {"Cache-Control": "no-store"}
MULTIPART_OVERHEAD = 64 * 1024  # boundaries and headers around the one part
UPLOAD = MAX_FILE_BYTES + MULTIPART_OVERHEAD
BYTES = "application/octet-stream"


def build(service: Consultations) -> Routes:
    routes = Routes("files of the chat")
    conversation = service.conversation

    @routes.post(
        "/consultations/{id}/files",
        action="consultation.files",
        returns=FileView,
        status=201,
        upload=True,
        max_body_bytes=UPLOAD,
        errors=(Forbidden, NotFound, BodyTooLarge, UnsupportedFile),
        idempotency="none",
    )
    async def add_file(call: Call[None, None]) -> FileView:
        """Add a picture or document to send in the chat"""
        found = await service.require(call.principal, "consultation.files", call.id())
        name, content = await _one_file(call.request)
        return await conversation.add_file(
            call.principal, found.id, found.patient_id, name, content, seat=seat_of(call.principal, found)
        )

    @routes.get(
        "/consultations/{id}/files/{file_id}",
        action="consultation.files",
        content_type=BYTES,
        errors=(Forbidden, NotFound),
    )
    async def read_file(call: Call[None, None]) -> Answer:
        """A file that was sent in the chat"""
        return _answer(*await service.open_file(call.principal, call.id(), call.id("file_id")))

    @routes.post(
        "/guest/files",
        action="visit.guest",
        auth="guest",
        returns=FileView,
        status=201,
        upload=True,
        max_body_bytes=UPLOAD,
        errors=(Forbidden, VisitNotOpen, InvitationGone, BodyTooLarge, UnsupportedFile),
        idempotency="none",
    )
    async def add_guest_file(call: Call[None, None]) -> FileView:
        """Add a picture or document to send in the chat, for somebody who came by invitation and was let in"""
        place = await service.guest_place(call.principal)
        name, content = await _one_file(call.request)
        return await conversation.add_file(
            call.principal, place.consultation_id, place.patient_id, name, content, seat=call.principal.id
        )

    @routes.get(
        "/guest/files/{file_id}",
        action="visit.guest",
        auth="guest",
        content_type=BYTES,
        errors=(Forbidden, VisitNotOpen, InvitationGone, NotFound),
    )
    async def read_guest_file(call: Call[None, None]) -> Answer:
        """A file that was sent to all since somebody who came by invitation was let in"""
        place = await service.guest_place(call.principal)
        return _answer(
            *await conversation.open_file(
                call.principal,
                place.consultation_id,
                place.patient_id,
                call.id("file_id"),
                clinician=False,
                seat=call.principal.id,
                since=place.since,
            )
        )

    return routes


def _answer(name: str, content_type: str, content: bytes) -> Answer:
    headers = {
        **NO_STORE,
        "Content-Disposition": f"inline; filename*=UTF-8''{quote(name)}",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'",
    }
    return Answer(content, headers=headers, content_type=content_type)


async def _one_file(request: web.Request) -> tuple[str | None, bytes]:
    """The part named ``file``, read up to its limit."""
    if not request.content_type.startswith("multipart/form-data"):
        raise UnsupportedFile("Send the file as multipart/form-data")
    try:
        reader = await request.multipart()
        part: Any = await reader.next()
        if not isinstance(part, BodyPartReader) or part.name != "file":
            raise InvalidInput.of("file", "one part named file is expected")
        content = bytearray()
        while chunk := await part.read_chunk(64 * 1024):
            content += chunk
            if len(content) > MAX_FILE_BYTES:
                raise BodyTooLarge()
    except (ValueError, AssertionError):
        raise InvalidInput.of("file", "this is not a well-formed upload") from None
    if not content:
        raise InvalidInput.of("file", "the file is empty")
    return part.filename, bytes(content)
