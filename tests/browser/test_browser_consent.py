"""Care by video only with the patient's word: taken back under Privacy, asked for anew on the way in."""

from __future__ import annotations

import pytest
from arrivals import Arrive
from meeting import PATIENT_NAME, Meeting
from playwright.async_api import expect
from test_browser_security import picture

pytestmark = pytest.mark.browser


async def test_consent_taken_back_is_asked_for_on_the_way_in_and_ends_a_call(arrive: Arrive, meeting: Meeting) -> None:
    patient, doctor = await arrive("phone"), await arrive("desktop")
    await doctor.sign_in(meeting.doctor, "/practice")
    await meeting.check_in(patient)
    await meeting.wait(patient)
    await meeting.let_in(patient, doctor)

    # In another tab the patient takes it back: the call is over for them.
    privacy = await patient.page.context.new_page()
    await privacy.goto("/privacy")
    video = privacy.get_by_test_id("consent-telehealth")
    await video.get_by_role("button", name="Agree", exact=True).click()
    await video.get_by_role("button", name="Withdraw").click()
    page = patient.page
    asked = page.get_by_test_id("consent")
    await expect(asked).to_contain_text("You took your agreement back")
    await expect(page.get_by_test_id("call")).to_have_count(0)

    # A reload asks too; the text is there to read, and one press agrees to it.
    await page.reload()
    await expect(asked).to_contain_text("examination by video has limits")
    await picture(page, "consent")
    await page.set_viewport_size({"width": 360, "height": 780})
    await asked.get_by_role("button", name="I agree").click()
    await meeting.wait(patient)
    await doctor.page.get_by_role("button", name=f"Let in {PATIENT_NAME}").click()
    await expect(page.get_by_test_id("call")).to_be_visible(timeout=20_000)
    assert patient.broken == []
