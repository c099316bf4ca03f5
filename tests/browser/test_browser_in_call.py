"""What people do in a call, as the other side sees it: a shared screen, a muted microphone, a raised hand."""

from __future__ import annotations

import asyncio

import pytest
from arrivals import DEVICES, SHARES_TAB, Arrive
from meeting import DOCTOR_NAME, PATIENT_NAME, Meeting
from playwright.async_api import expect

pytestmark = pytest.mark.browser


async def test_screen_microphone_camera_and_hand(arrive: Arrive, meeting: Meeting) -> None:
    patient, doctor = await arrive("phone"), await arrive("desktop", devices=(*DEVICES, *SHARES_TAB))
    await meeting.begin(patient, doctor)
    page, desk = patient.page, doctor.page
    seen_by_doctor, seen_by_patient = desk.get_by_test_id("person-tile"), page.get_by_test_id("person-tile")

    # A screen comes beside the person's picture, and goes.
    await desk.get_by_role("button", name="Share screen").click()
    screen = page.get_by_test_id("screen-tile")
    await expect(screen).to_contain_text(f"Screen of {DOCTOR_NAME}", timeout=20_000)
    await expect(screen.locator("video")).to_have_js_property("paused", False)
    await asyncio.gather(patient.sees_movement(), doctor.sees_movement())
    await desk.get_by_role("button", name="Stop sharing").click()
    await expect(screen).to_have_count(0)
    await asyncio.gather(patient.sees_movement(), doctor.sees_movement())
    await desk.get_by_role("button", name="Share screen").click()
    await expect(screen).to_have_count(1, timeout=20_000)
    await desk.get_by_role("button", name="Stop sharing").click()
    await expect(screen).to_have_count(0)

    # The microphone.
    await doctor.hears()
    await page.get_by_role("button", name="Mute", exact=True).click()
    await expect(seen_by_doctor).to_contain_text(f"{PATIENT_NAME} is muted")
    await page.get_by_role("button", name="Unmute", exact=True).click()
    await expect(seen_by_doctor).not_to_contain_text("is muted")
    await doctor.hears()

    # The camera.
    await desk.get_by_role("button", name="Stop camera").click()
    await expect(seen_by_patient).to_contain_text("Camera is off")
    await expect(seen_by_patient.locator("video")).to_have_count(0)
    await desk.get_by_role("button", name="Start camera").click()
    await expect(seen_by_patient.locator("video")).to_have_count(1)
    await patient.sees_movement()

    # The hand.
    hand = seen_by_doctor.get_by_role("img", name=f"{PATIENT_NAME} raised a hand")
    await page.get_by_role("button", name="Raise hand").click()
    await expect(hand).to_be_visible()
    await page.get_by_role("button", name="Lower hand").click()
    await expect(hand).to_have_count(0)
    assert patient.broken == []
    assert doctor.broken == []
