"""The main job end to end, in two Chromium processes against the real demonstration."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.async_api import Page, expect
from visitor import Visitor

pytestmark = pytest.mark.browser

PATIENT, DOCTOR = "patient@demo.bedside", "doctor@demo.bedside"
Arrive = Callable[[str], Awaitable[Visitor]]


async def eventually(look: Callable[[], Awaitable[Any]], timeout_s: float = 20.0) -> Any:
    """What ``look`` finds, as soon as it finds something."""
    async with asyncio.timeout(timeout_s):
        while not (found := await look()):
            await asyncio.sleep(0.2)
    return found


async def open_visit(patient: Visitor, doctor: Visitor) -> str:
    """The appointment with this doctor whose visit window is open now."""
    now = datetime.now(UTC)
    listed = await patient.api("/appointments?limit=100")
    for each in listed["items"]:
        opens, closes = (datetime.fromisoformat(each[f"visit_{end}_at"]) for end in ("opens", "closes"))
        if (
            each["practitioner_id"] == doctor.user_id
            and each["status"] in ("booked", "arrived")
            and opens <= now <= closes
        ):
            return str(each["id"])
    raise AssertionError("the demonstration has no visit that is open now")


async def say_where(page: Page) -> None:
    """The step before the device check: who, where, a number, and nothing that can't wait."""
    go_on = page.get_by_role("button", name="Continue")
    await page.get_by_text("Yes, that is me").click()
    await page.get_by_role("button", name="Which country are you in now?").click()
    await page.get_by_role("option", name="Senegal").click()
    await page.get_by_label("Where exactly?").fill("12 rue Moussé Diop, Dakar")
    await page.get_by_label("On which number").fill("77 123 45 67")
    await expect(go_on).to_be_disabled()
    await page.get_by_text("I have none of these").click()
    await expect(page.get_by_test_id("safety").get_by_role("link")).to_have_attribute("href", "tel:1515")
    await go_on.click()
    await expect(page.get_by_text("Write the number with its country code")).to_be_visible()
    await page.get_by_label("On which number").fill("+221 77 123 45 67")
    await go_on.click()


async def test_a_stranger_cannot_open_a_visit(arrive: Arrive) -> None:
    stranger = await arrive("phone")
    await stranger.page.goto("/visit/01a1fccc-84f1-743f-82d8-f38af51878f0")
    await stranger.page.wait_for_url("**/sign-in?**")


async def test_a_patient_books_waits_meets_the_doctor_and_leaves_with_everything(arrive: Arrive) -> None:
    patient, doctor = await arrive("phone"), await arrive("desktop")
    await patient.sign_in(PATIENT, "/")
    await doctor.sign_in(DOCTOR, "/practice")

    # Books a coming visit, and keeps it.
    page = patient.page
    await page.goto("/find")
    await page.locator("a[href^='/book/'][href*='start=']").first.click()
    await page.get_by_label("What is it about?").fill("A cough at night")
    await page.get_by_role("button", name="Book this time").click()
    await expect(page.get_by_role("heading", name="You are booked")).to_be_visible()

    # Checks in to the visit of now, and waits.
    visit = await open_visit(patient, doctor)
    await page.goto(f"/visit/{visit}")
    await say_where(page)
    await expect(page.get_by_test_id("device-verdict")).to_contain_text("Camera and microphone work")
    await page.get_by_role("button", name="Go to the waiting room").click()
    await expect(page.get_by_test_id("waiting-room")).to_be_visible()
    await expect(page.get_by_test_id("call")).to_have_count(0)

    # A reload loses neither the place nor the page.
    await page.reload()
    await expect(page.get_by_test_id("waiting-room")).to_be_visible()

    # The doctor lets the patient in with one press: both see each other move.
    await doctor.page.get_by_test_id("waiting-person").get_by_role("button", name="Let in").first.click()
    await expect(doctor.page.get_by_test_id("call")).to_be_visible(timeout=20_000)
    await expect(page.get_by_test_id("call")).to_be_visible(timeout=20_000)
    await asyncio.gather(patient.sees_movement(), doctor.sees_movement())

    # Chat both ways, each message once.
    await page.get_by_role("button", name="Chat").click()
    await doctor.page.get_by_role("tab", name="Chat").click()
    await patient.say("Good morning, doctor")
    await doctor.reads("Good morning, doctor")
    await doctor.say("Good morning, how do you feel today?")
    await patient.reads("how do you feel today?")
    await expect(page.locator(".v-bubble")).to_have_count(2)
    await expect(doctor.page.locator(".v-bubble")).to_have_count(2)

    # A reload in the call comes back to the call, and the picture to both.
    await page.reload()
    await expect(page.get_by_test_id("call")).to_be_visible(timeout=20_000)
    await asyncio.gather(patient.sees_movement(), doctor.sees_movement())

    # Notes save themselves; a prescription is issued.
    desk = doctor.page
    await desk.get_by_label("Notes of this visit").fill("Tension headache, no warning signs.")
    await expect(desk.get_by_test_id("notes-state")).to_contain_text("Saved")
    await desk.get_by_role("tab", name="Prescribe").click()
    await desk.get_by_label("Medicine").fill("Paracetamol 500 mg")
    await desk.get_by_role("button", name="Issue prescription").click()
    await expect(desk.get_by_test_id("rx-outcome")).to_contain_text("Paracetamol 500 mg was prescribed")

    # Completed: the patient's page says so by itself.
    await desk.get_by_role("button", name="Complete visit").click()
    dialog = desk.get_by_role("dialog")
    await dialog.get_by_label("Summary for the patient").fill("A tension headache. Rest, drink enough, sleep early.")
    await dialog.get_by_role("button", name="Complete visit").click()
    await expect(desk.get_by_test_id("visit-completed")).to_be_visible()
    await expect(page.get_by_test_id("after")).to_be_visible(timeout=15_000)

    await what_is_left(patient, doctor, visit)
    assert patient.broken == []
    assert doctor.broken == []


async def what_is_left(patient: Visitor, doctor: Visitor, visit: str) -> None:
    """The invoice is due, the record has the visit, and both people were told."""
    consultation = await patient.api(f"/consultations/{visit}")
    assert consultation["status"] == "completed"
    assert [message["text"] for message in consultation["chat"]] == [
        "Good morning, doctor",
        "Good morning, how do you feel today?",
    ]
    assert consultation["prescriptions"][0]["medication"]["display"] == "Paracetamol 500 mg"

    async def due() -> bool:
        invoices = (await patient.api(f"/billing/invoices?appointment_id={visit}"))["items"]
        return [invoice["status"] for invoice in invoices] == ["due"]

    async def recorded() -> bool:
        entries = (await patient.api(f"/patients/{patient.user_id}/medical-records?kind=visit&limit=50"))["items"]
        return any(entry["appointment_id"] == visit for entry in entries)

    def told(person: Visitor) -> Callable[[], Awaitable[bool]]:
        async def look() -> bool:
            notices = (await person.api("/notifications?limit=50"))["items"]
            return any(visit in (notice["link"] or "") for notice in notices)

        return look

    await eventually(due)
    await eventually(recorded)
    await eventually(told(patient))
    await eventually(told(doctor))

    # And the patient finds it on a page.
    await patient.page.get_by_role("link", name="See this visit").click()
    await expect(patient.page.get_by_text("Rest, drink enough, sleep early.").first).to_be_visible()
