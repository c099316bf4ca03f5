"""An interpreter, found by language: asked, let in, kept large for all, nowhere else. And one's second device."""

from __future__ import annotations

import asyncio

import pytest
from arrivals import Arrive
from meeting import ACQUAINTANCE_NAME, DOCTOR_NAME, PATIENT_NAME, Meeting
from playwright.async_api import Locator, expect
from visitor import Visitor

pytestmark = pytest.mark.browser

# A device whose clock is five hours ahead.
WRONG_CLOCK = """
    const right = Date.now.bind(Date);
    const Right = Date;
    const ahead = 5 * 3600 * 1000;
    window.Date = class extends Right {
        constructor(...given) { given.length === 0 ? super(right() + ahead) : super(...given); }
        static now() { return right() + ahead; }
    };
"""
# What the guest's own token opens beyond the visit.
REACH = """async ([path]) => {
    const { guest_token } = JSON.parse(sessionStorage.getItem("bedside.guest"));
    return (await fetch("/api/v1" + path, { headers: { Authorization: "Bearer " + guest_token } })).status;
}"""


async def put_on_the_list(desk: Visitor, email: str, language: str) -> Locator:
    """The front desk lets somebody with an account be asked: their row."""
    await desk.sign_in("desk@demo.bedside", "/calendar")
    await desk.open("/interpreters")
    await desk.press("Add an interpreter")
    dialog = desk.page.get_by_role("dialog")
    await dialog.get_by_label("Who is it?").fill(email)
    await dialog.get_by_role("button", name=email).click()
    await dialog.get_by_text(language, exact=True).click()
    await dialog.get_by_role("button", name="Save").click()
    row = desk.page.get_by_role("row", name=ACQUAINTANCE_NAME)
    await expect(row).to_contain_text(language)
    await expect(row).to_contain_text("Not on duty")
    return row


async def test_an_interpreter_by_language_and_another_device(arrive: Arrive, meeting: Meeting) -> None:
    patient, doctor, interpreter = await arrive("phone"), await arrive("desktop"), await arrive("phone")
    await interpreter.page.add_init_script(WRONG_CLOCK)
    front_desk = await arrive("desktop")
    row = await put_on_the_list(front_desk, meeting.acquaintance, "Somali")
    await interpreter.sign_in(meeting.acquaintance, "/")
    await interpreter.open("/interpreting")
    await interpreter.page.get_by_text("Ask me now", exact=True).click()
    await expect(interpreter.page.get_by_text("Nobody needs you at the moment")).to_be_visible()
    await front_desk.reload()
    await expect(row.get_by_text("On duty", exact=True)).to_be_visible()
    assert front_desk.broken == []
    await front_desk.page.context.close()
    await meeting.begin(patient, doctor)
    page, desk = patient.page, doctor.page

    # The patient asks; both know how the search goes; the interpreter hears of it and comes.
    await page.get_by_role("toolbar").get_by_role("button", name="More").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Interpreter needed for").click()
    await page.get_by_role("option", name="Somali").click()
    await dialog.get_by_role("button", name="Find one").click()
    for each in (page, desk):
        await expect(each.get_by_text("Looking for an interpreter: Somali.").first).to_be_visible()
    await dialog.get_by_role("button", name="Close", exact=True).last.click()
    await expect(interpreter.page.get_by_test_id("interpreter-offer")).to_contain_text("Somali is needed in a visit")
    await interpreter.press("Join")
    await expect(
        interpreter.page.get_by_text(f"You join as {ACQUAINTANCE_NAME}. You join as interpreter.")
    ).to_be_visible()
    await interpreter.sees("device-verdict")
    await interpreter.press("Ask to join")
    await interpreter.sees("waiting-room")
    await expect(desk.get_by_text(f"{ACQUAINTANCE_NAME} interprets: Somali.")).to_be_visible()
    await desk.get_by_role("button", name=f"Let in {ACQUAINTANCE_NAME}").click()
    await interpreter.sees("call")
    three = (patient, doctor, interpreter)
    await asyncio.gather(*(person.sees_people(2, timeout_s=45) for person in three))
    await expect(page.get_by_test_id("person-tile").filter(has_text=ACQUAINTANCE_NAME)).to_contain_text("Interpreter")

    # The practitioner's pin is for everybody.
    await desk.get_by_role("button", name=f"Keep {ACQUAINTANCE_NAME} large").click()
    for each, small in ((page, DOCTOR_NAME), (desk, PATIENT_NAME)):
        row = each.get_by_role("group", name="The others").get_by_test_id("person-tile")
        await expect(row).to_have_count(1)
        await expect(row).to_contain_text(small)

    # A clock that is wrong by hours takes nobody out; the token opens this visit and nothing of it but the call.
    await interpreter.reload()
    await interpreter.sees("call")
    await asyncio.gather(*(person.sees_people(2, timeout_s=45) for person in three))
    closed = ("", "/notes", "/invitations", "/complete")
    paths = [f"/consultations/{meeting.appointment_id}{path}" for path in closed]
    paths += [f"/appointments/{meeting.appointment_id}", f"/patients/{patient.user_id}", "/me"]
    for path in paths:
        assert await interpreter.evaluate(REACH, [path]) in (401, 403, 404, 405), path

    # The patient goes on at a computer: asked first, and the phone says where the visit went.
    second = await arrive("desktop")
    await second.page.add_init_script(WRONG_CLOCK)
    await second.sign_in(meeting.patient, "/")
    await second.open(f"/visit/{meeting.appointment_id}")
    await expect(second.page.get_by_role("heading", name="You're in this visit on another device")).to_be_visible()
    await second.press("Continue here")
    await expect(page.get_by_role("heading", name="You continued on another device")).to_be_visible()
    await second.sees("call")
    await asyncio.gather(*(person.sees_people(2, timeout_s=45) for person in (second, doctor, interpreter)))
    await expect(desk.get_by_test_id("person-tile")).to_have_count(2)
    assert [person.broken for person in (*three, second)] == [[], [], [], []]
