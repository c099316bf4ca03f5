"""A parent's whole way in a real Chromium: adds a child, books for it, waits with it, and the practitioner sees who
sits there. And how somebody is asked for help, agrees, and is let go."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from meeting import Meeting
from playwright.async_api import Page, expect
from server_process import Demonstration
from test_browser_security import picture
from visitor import Visitor

pytestmark = pytest.mark.browser
# Slow machines show the same things, later.
expect.set_options(timeout=20_000)

Arrive = Callable[..., Awaitable[Visitor]]
ALWAYS = {
    "time_zone": "UTC",
    "slot_minutes": 15,
    "buffer_minutes": 0,
    "notice_minutes": 0,
    "horizon_days": 30,
    "rules": [{"weekday": day, "start": "00:00", "end": "24:00"} for day in range(7)],
    "exceptions": [],
    "version": 0,
}


async def can_be_booked(demonstration: Demonstration, doctor: str) -> tuple[str, str]:
    """The practitioner works all day from now on; their id and the start of the next free time."""
    async with aiohttp.ClientSession(demonstration.url) as session:
        own = await demonstration.sign_in(session, doctor)
        admin = await demonstration.sign_in(session, "admin@demo.bedside")

        async def ask(method: str, path: str, headers: dict[str, str], body: Any = None) -> Any:
            async with session.request(method, f"/api/v1{path}", headers=headers, json=body) as answer:
                assert answer.status == 200, (path, await answer.text())
                return await answer.json()

        person: str = (await ask("GET", "/me", own))["id"]
        await ask("PUT", f"/practitioners/{person}/schedule", own, ALWAYS)
        await ask("PUT", f"/practitioners/{person}/licence", admin, {"verified": True, "published": True})
        start: str = (await ask("GET", f"/providers/{person}", own))["next_slots"][0]["start"]
    return person, start


async def open_family(page: Page) -> None:
    await page.get_by_role("button", name=re.compile("Your account|Account")).click()
    await page.get_by_role("menuitem", name="Family").click()
    await expect(page.get_by_role("heading", name="Family", exact=True)).to_be_visible()


async def add_child(page: Page, name: str) -> None:
    await page.get_by_role("button", name="Add a child").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("First and last name").fill(name)
    await dialog.get_by_label("Date of birth").fill("2019-04-02")
    await dialog.get_by_role("button", name="Add", exact=True).click()
    await expect(page.get_by_role("region", name="You act for").get_by_text(name)).to_be_visible()


async def test_a_parent_books_and_attends_for_a_child(demonstration: Demonstration, arrive: Arrive) -> None:
    meeting = await Meeting.arrange(demonstration)
    doctor_id, start = await can_be_booked(demonstration, meeting.doctor)
    parent, doctor = await arrive("phone"), await arrive("desktop")
    page = parent.page
    await parent.sign_in(meeting.acquaintance, "/")
    await open_family(page)
    await picture(page, "family-empty")
    await add_child(page, "Tim Warsame")
    await picture(page, "family-child")

    # Books for the child: whose visit it is stands there from the choice to the card.
    await page.goto(f"/book/{doctor_id}?start={start}")
    await page.get_by_text("Tim Warsame", exact=True).click()
    await expect(page.get_by_test_id("for-whom")).to_have_text("For Tim Warsame")
    await page.get_by_label("What is it about?").fill("He coughs at night")
    await picture(page, "family-book")
    await page.get_by_role("button", name="Book this time").click()
    await expect(page.get_by_role("heading", name="You are booked")).to_be_visible()
    await page.get_by_role("link", name="See my visits").or_(page.get_by_role("link", name="visits")).first.click()
    card = page.get_by_role("article").filter(has_text="For Tim Warsame")
    await expect(card).to_be_visible()
    await picture(page, "family-visits")
    own = await parent.api("/appointments")
    assert own["items"] == []
    child = (await parent.api("/family"))["acts_for"][0]["patient_id"]
    visit = (await parent.api(f"/appointments?patient_id={child}"))["items"][0]["id"]

    # Waits with the child.
    await parent.confirm_place(visit)
    await parent.open(f"/visit/{visit}")
    await parent.press("Go to the waiting room")
    await parent.sees("waiting-room")

    # The practitioner sees who it is before letting them in, and in the call.
    await doctor.sign_in(meeting.doctor, "/practice")
    waiting = doctor.page.get_by_test_id("waiting-person").filter(has_text="Tim Warsame")
    await expect(waiting).to_contain_text("Hodan Warsame for Tim Warsame")
    await picture(doctor.page, "family-practice")
    await waiting.get_by_role("button", name="Let in Hodan Warsame for Tim Warsame").click()
    for person in (doctor, parent):
        await person.sees("call")
    await asyncio.gather(parent.sees_movement(), doctor.sees_movement())
    await expect(doctor.page.get_by_test_id("call")).to_contain_text("Hodan Warsame for Tim Warsame")
    await picture(doctor.page, "family-call")
    assert parent.broken == []
    assert doctor.broken == []


async def test_somebody_is_asked_for_help_agrees_and_is_let_go(demonstration: Demonstration, arrive: Arrive) -> None:
    meeting = await Meeting.arrange(demonstration)
    patient, helper = await arrive("desktop"), await arrive("phone")
    await patient.sign_in(meeting.patient, "/")
    await helper.sign_in(meeting.acquaintance, "/")
    await open_family(patient.page)
    await patient.page.get_by_role("button", name="Ask somebody for help").click()
    dialog = patient.page.get_by_role("dialog")
    await dialog.get_by_label("Their email address").fill(meeting.acquaintance)
    await picture(patient.page, "family-ask")
    await dialog.get_by_role("button", name="Send the request").click()
    await expect(patient.page.get_by_text(f"{meeting.acquaintance} was asked to act for you")).to_be_visible()

    await open_family(helper.page)
    await expect(helper.page.get_by_text("Samba Kane asks you to act for them")).to_be_visible()
    await picture(helper.page, "family-asked")
    await helper.page.get_by_role("button", name="Agree").click()
    acts = helper.page.get_by_role("region", name="You act for")
    await expect(acts.get_by_text("Samba Kane")).to_be_visible()
    await helper.page.goto("/visits")
    await expect(helper.page.get_by_role("article").filter(has_text="For Samba Kane")).to_be_visible()

    await patient.page.reload()
    region = patient.page.get_by_role("region", name="Who acts for you and yours")
    await expect(region.get_by_text("Hodan Warsame")).to_be_visible()
    await picture(patient.page, "family-acted-for")
    await region.get_by_role("button", name="End: Hodan Warsame acts for Samba Kane").click()
    await picture(patient.page, "family-end")
    await patient.page.get_by_role("alertdialog").get_by_role("button", name="End", exact=True).click()
    await expect(patient.page.get_by_role("region", name="What has ended")).to_contain_text("by the patient")
    await helper.page.reload()
    await expect(helper.page.get_by_text("For Samba Kane")).to_have_count(0)
    assert patient.broken == []
    assert helper.broken == []
