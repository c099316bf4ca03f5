"""A relative who is invited by link: no account, a waiting room, and three people who see each other."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import pytest
from arrivals import Arrive
from meeting import Meeting, invite
from playwright.async_api import expect

pytestmark = pytest.mark.browser

GUEST = "Coumba Kane"


async def test_a_guest_joins_by_link(arrive: Arrive, meeting: Meeting) -> None:
    patient, doctor = await arrive("phone"), await arrive("desktop")
    await meeting.begin(patient, doctor)
    desk = doctor.page

    # The doctor makes the link.
    link = await invite(doctor, GUEST)
    assert urlsplit(link).fragment, "the secret is where no server log sees it"

    # The guest opens it, is told as whom they come, and waits.
    guest = await arrive("phone")
    page = guest.page
    await page.goto(link)
    await page.get_by_role("button", name="Ask to join").click()
    await expect(page.get_by_text(f"You join as {GUEST}.")).to_be_visible()
    assert not urlsplit(page.url).fragment, "the secret stays neither in the address nor in the history"
    await expect(page.get_by_test_id("device-verdict")).to_contain_text("Camera and microphone work")
    await page.get_by_role("button", name="Ask to join").click()
    await expect(page.get_by_test_id("waiting-room")).to_be_visible()
    await expect(page.get_by_test_id("call")).to_have_count(0)

    # Let in from beside the running call: three people see each other.
    await desk.get_by_role("button", name=f"Let in {GUEST}").click()
    await expect(page.get_by_test_id("call")).to_be_visible(timeout=20_000)
    three = (patient, doctor, guest)
    await asyncio.gather(*(person.sees_people(2, timeout_s=45) for person in three))
    for person in three:
        await expect(person.page.get_by_test_id("person-tile")).to_have_count(2)

    # Everybody alike, oneself among them; one who is kept large moves the others into a row.
    await expect(desk.get_by_test_id("self-tile")).to_be_visible()
    await desk.get_by_role("button", name=f"Keep {GUEST} large").click()
    await expect(desk.get_by_role("group", name="The others").get_by_test_id("person-tile")).to_have_count(1)
    await desk.get_by_role("button", name=f"Don't keep {GUEST} large").click()
    await expect(desk.get_by_role("group", name="The others")).to_have_count(0)

    # A reload needs neither the used-up link nor another press.
    await page.reload()
    await expect(page.get_by_test_id("call")).to_be_visible(timeout=20_000)
    await asyncio.gather(*(person.sees_people(2, timeout_s=45) for person in three))

    # The same link a second time, in somebody else's hands, opens nothing.
    other = await arrive("phone")
    await other.page.goto(link)
    await other.page.get_by_role("button", name="Ask to join").click()
    await expect(other.page.get_by_test_id("guest-gone")).to_be_visible()
    assert [person.broken for person in (*three, other)] == [[], [], [], []]
