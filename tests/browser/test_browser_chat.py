"""Chat: files, words for clinicians alone, what was read, a lost connection, and the past after a reload."""

from __future__ import annotations

import asyncio
import struct
import zlib

import pytest
from arrivals import Arrive
from meeting import PATIENT_NAME, Meeting, open_chats
from playwright.async_api import WebSocketRoute, expect
from visitor import Visitor

pytestmark = pytest.mark.browser

PAGE = 50  # messages that come with the visit itself
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Count 0/Kids[]>>endobj\n%%EOF\n"


def picture(width: int = 64, height: int = 48) -> bytes:
    """A PNG of one colour."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = (b"\0" + b"\x2f\x6f\xa8" * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


class Line:
    """A person's live connections, which can be cut."""

    def __init__(self, person: Visitor) -> None:
        self._person = person
        self._open: list[WebSocketRoute] = []

    async def watch(self) -> None:
        """Before the person opens a page: from now on their sockets are known here."""
        await self._person.page.route_web_socket("**/socket.io/**", self._carry)

    def _carry(self, socket: WebSocketRoute) -> None:
        socket.connect_to_server()
        self._open.append(socket)

    async def cut(self) -> None:
        """No network for the page; what was open is closed, which the browser's own switch leaves open."""
        await self._person.page.context.set_offline(True)
        for socket in self._open:
            await socket.close(code=1011)
        self._open.clear()

    async def mend(self) -> None:
        await self._person.page.context.set_offline(False)


async def attach(person: Visitor, name: str, kind: str, content: bytes) -> None:
    await (
        person.page.get_by_test_id("chat")
        .locator("input[type=file]")
        .set_input_files({"name": name, "mimeType": kind, "buffer": content})
    )


async def test_chat_with_files_marks_privacy_and_a_past(arrive: Arrive, meeting: Meeting) -> None:
    patient, doctor = await arrive("phone"), await arrive("desktop")
    line = Line(patient)
    await line.watch()
    await meeting.begin(patient, doctor)
    await open_chats(patient, doctor)
    chat, desk = patient.page.get_by_test_id("chat"), doctor.page.get_by_test_id("chat")

    # A picture is seen, a document is there by its name, a program in a picture's clothes is refused.
    await attach(patient, "rash.png", "image/png", picture())
    shown = desk.get_by_role("img", name="rash.png")
    await expect(shown).to_have_js_property("naturalWidth", 64)
    await attach(patient, "blood test.pdf", "application/pdf", PDF)
    await expect(desk.get_by_role("button", name="blood test.pdf")).to_be_visible()
    async with doctor.page.expect_download() as saving:
        await desk.get_by_role("button", name="blood test.pdf").click()
    assert (await (await saving.value).path()).read_bytes() == PDF
    await attach(patient, "holiday.png", "image/png", b"MZ\x90\0 this program cannot be run")
    await expect(chat.get_by_text("holiday.png could not be sent.")).to_be_visible()
    await expect(chat.locator("[data-receipt=read]")).to_have_count(1)

    # What clinicians write to each other is not for the patient.
    await desk.get_by_role("button", name="Who can read this").click()
    await doctor.page.get_by_role("option", name="Clinicians only").click()
    await doctor.say("Ask about the travel first")
    await desk.get_by_role("button", name="Who can read this").click()
    await doctor.page.get_by_role("option", name="Everybody").click()
    await doctor.say("Where were you last month?")
    await patient.reads("Where were you last month?")
    await expect(chat.get_by_text("Ask about the travel first")).to_have_count(0)

    # Written without a connection: it waits, and arrives once, when there is one again. The others see what happened.
    tile = doctor.page.get_by_test_id("person-tile")
    await line.cut()
    await expect(patient.page.locator(".v-banner")).to_contain_text("You're offline.")
    await expect(tile).to_contain_text("Coming back…")
    await patient.say("In Ziguinchor, by the river")
    await expect(chat.get_by_text("Sending…")).to_be_visible()
    await doctor.say("Are you there?")
    await line.mend()
    await doctor.reads("In Ziguinchor, by the river")
    await patient.reads("Are you there?")
    await expect(tile).not_to_contain_text("Coming back…")
    await expect(tile).to_contain_text(PATIENT_NAME)
    await expect(chat.get_by_text("Sending…")).to_have_count(0)
    for here in (chat, desk):
        await expect(here.get_by_text("In Ziguinchor, by the river")).to_have_count(1)

    # A long talk; after a reload its end is there, and its beginning on demand.
    for number in range(PAGE):
        await doctor.say(f"Line {number}")
    await patient.reads(f"Line {PAGE - 1}")
    await patient.reload()
    await patient.page.get_by_role("toolbar").get_by_role("button", name="Chat").click()
    await patient.reads(f"Line {PAGE - 1}")
    await expect(chat.locator(".v-bubble")).to_have_count(PAGE)
    await chat.get_by_role("button", name="Show older messages").click()
    await expect(chat.get_by_role("img", name="rash.png")).to_have_js_property("naturalWidth", 64)
    await expect(chat.locator(".v-bubble")).to_have_count(PAGE + 5)
    await expect(chat.get_by_role("button", name="Show older messages")).to_have_count(0)

    # It stays with the visit, to each what was theirs to read.
    for person, private in ((patient, False), (doctor, True)):
        kept = (await person.api(f"/consultations/{meeting.appointment_id}"))["chat"]
        assert ("Ask about the travel first" in [each["text"] for each in kept]) == private
        assert [each["file"]["name"] for each in kept if each["file"]] == ["rash.png", "blood test.pdf"]
    await asyncio.gather(patient.sees_movement(), doctor.sees_movement())
    assert [patient.broken, doctor.broken] == [[], []]
