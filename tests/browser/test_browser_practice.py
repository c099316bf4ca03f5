"""What the practice does with people who wait and people who were invited: hold, call back, hand over, withdraw."""

from __future__ import annotations

import asyncio

import pytest
from arrivals import Arrive
from meeting import PATIENT_NAME, Meeting, invite
from playwright.async_api import expect

pytestmark = pytest.mark.browser


async def test_hold_call_back_and_hand_over(arrive: Arrive, meeting: Meeting) -> None:
    patient, doctor = await arrive("phone"), await arrive("desktop")
    await doctor.sign_in(meeting.doctor, "/practice")
    await meeting.check_in(patient)
    await meeting.wait(patient)
    page, desk = patient.page, doctor.page
    row = desk.get_by_test_id("waiting-person").filter(has_text=PATIENT_NAME)
    await expect(row).not_to_contain_text("No location yet")

    async def choose(act: str) -> None:
        await row.get_by_role("button", name=f"More for {PATIENT_NAME}").click()
        await desk.get_by_role("menuitem", name=act).click()

    # Both know the place in the queue; the tab says it, too.
    await expect(page.get_by_text("You're next")).to_be_visible()
    await expect(page).to_have_title("You're next")

    # Who runs late says so once, and everybody who waits reads it.
    await desk.get_by_role("button", name="Running late").click()
    await desk.get_by_role("option", name="20 minutes late").click()
    await expect(page.get_by_text("is running about 20 minutes late.")).to_be_visible()
    await doctor.reload()
    late = desk.get_by_role("button", name="Running late")
    await expect(late).to_contain_text("20 minutes late")
    await late.click()
    await desk.get_by_role("option", name="On time").click()
    await expect(page.get_by_text("is running about")).to_have_count(0)

    await choose("Put on hold")
    await expect(page.get_by_role("heading", name="asked you to wait a moment")).to_be_visible()

    await choose("Ask to come back")
    await expect(row).to_contain_text("called ")

    # A colleague takes over, with a note that the patient never sees.
    await choose("Hand over")
    dialog = desk.get_by_role("dialog")
    await dialog.get_by_role("button", name="Colleague").click()
    option = desk.get_by_role("option").first
    colleague = await option.inner_text()
    await option.click()
    await dialog.get_by_label("Note to your colleague").fill("Please look at the rash first")
    await dialog.get_by_role("button", name="Hand over").click()
    await expect(row).to_have_count(0)
    await expect(page.get_by_test_id("waiting-room")).to_contain_text(colleague.strip())
    await expect(page.get_by_text("Please look at the rash first")).to_have_count(0)
    assert [patient.broken, doctor.broken] == [[], []]


async def test_a_withdrawn_link_takes_the_guest_out(arrive: Arrive, meeting: Meeting) -> None:
    patient, doctor, guest = await arrive("phone"), await arrive("desktop"), await arrive("phone")
    await meeting.begin(patient, doctor)
    desk = doctor.page
    await guest.open(await invite(doctor, "Coumba Kane"))
    await guest.press("Ask to join")
    await guest.sees("device-verdict")
    await guest.press("Ask to join")
    await desk.get_by_role("button", name="Let in Coumba Kane").click()
    await guest.sees("call")

    # The practitioner knows where the patient is.
    await expect(desk.get_by_test_id("where-now")).to_contain_text("12 rue Moussé Diop, Dakar")

    await desk.get_by_role("button", name="Invite").click()
    dialog = desk.get_by_role("dialog")
    await expect(dialog.get_by_test_id("invitation")).to_contain_text("Link used")
    await dialog.get_by_role("button", name="Withdraw the link of Coumba Kane").click()
    await desk.get_by_role("dialog").last.get_by_role("button", name="Withdraw", exact=True).click()
    await expect(desk.get_by_test_id("invitation")).to_contain_text("Withdrawn")
    await expect(guest.page.get_by_test_id("call")).to_have_count(0, timeout=5_000)
    await asyncio.gather(patient.sees_movement(), doctor.sees_movement())
    await guest.reload()
    await expect(guest.page.get_by_test_id("call")).to_have_count(0)
    assert [patient.broken, doctor.broken] == [[], []]
