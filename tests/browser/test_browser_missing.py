"""People whose camera or microphone is missing or forbidden: told in plain words, and in the visit all the same."""

from __future__ import annotations

import asyncio

import pytest
from arrivals import Arrive
from meeting import PATIENT_NAME, Meeting, open_chats
from playwright.async_api import expect

pytestmark = pytest.mark.browser

NO_DEVICES: tuple[str, ...] = ()
NO_CAMERA = ("--use-fake-device-for-media-stream=device-count=0",)


@pytest.mark.parametrize("why", ["missing", "denied"])
async def test_neither_camera_nor_microphone(arrive: Arrive, meeting: Meeting, why: str) -> None:
    patient = await (arrive("phone", devices=NO_DEVICES) if why == "missing" else arrive("phone", denied=True))
    doctor = await arrive("desktop")
    await doctor.sign_in(meeting.doctor, "/practice")
    await meeting.check_in(patient)
    page, desk = patient.page, doctor.page

    # What is missing, and what works without it.
    for device in ("camera", "microphone"):
        words = f"We found no {device}." if why == "missing" else f"does not let us use the {device}"
        await expect(page.get_by_text(words)).to_be_visible()
    verdict = page.get_by_test_id("device-verdict")
    await expect(verdict).to_contain_text("You can see and hear the doctor, and write in the chat.")
    await expect(page.get_by_role("button", name="Check again")).to_be_visible()

    await meeting.wait(patient, "Go on anyway")
    await meeting.let_in(patient, doctor)
    await asyncio.gather(patient.sees_movement(), patient.hears())
    await expect(page.get_by_text("Nobody can see or hear you.")).to_be_visible()

    # The doctor has no picture of the patient, and is told so.
    tile = desk.get_by_test_id("person-tile")
    await expect(tile).to_have_count(1)
    await expect(tile).to_contain_text(PATIENT_NAME)
    await expect(tile).to_contain_text("No camera and no microphone")
    await expect(tile.locator("video")).to_have_count(0)
    assert await doctor.frames() == 0

    await open_chats(patient, doctor)
    await patient.say("I can see and hear you")
    await doctor.reads("I can see and hear you")
    await doctor.say("Then write to me")
    await patient.reads("Then write to me")
    assert patient.broken == []
    assert doctor.broken == []


async def test_no_camera_only(arrive: Arrive, meeting: Meeting) -> None:
    patient, doctor = await arrive("phone", devices=NO_CAMERA), await arrive("desktop")
    await doctor.sign_in(meeting.doctor, "/practice")
    await meeting.check_in(patient)
    page = patient.page
    await expect(page.get_by_text("We found no camera.")).to_be_visible()
    await expect(page.get_by_text("We found no microphone.")).to_have_count(0)
    await expect(page.get_by_test_id("device-verdict")).to_contain_text("You can go on without a picture.")

    await meeting.wait(patient, "Go on anyway")
    await meeting.let_in(patient, doctor)
    await asyncio.gather(patient.sees_movement(), patient.hears(), doctor.hears())
    tile = doctor.page.get_by_test_id("person-tile")
    await expect(tile).to_contain_text("No camera")
    await expect(tile).not_to_contain_text("no microphone")
    await expect(tile.locator("video")).to_have_count(0)
    assert await doctor.frames() == 0
    assert patient.broken == []
    assert doctor.broken == []
