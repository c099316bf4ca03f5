"""SIGKILL of the server and of the media worker during a call: both pages come back without a press."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest
from arrivals import Arrive
from meeting import PATIENT_NAME, Meeting, open_chats
from playwright.async_api import expect
from server_process import Demonstration
from visitor import Visitor

pytestmark = pytest.mark.browser

PARTS = {
    "server": ("server serve", "The connection was lost. We're bringing you back…"),
    "media worker": ("media-worker", "Looking for a better way to connect…"),
}
# Counts, from inside the page, the banners that were shown at any moment: one may be up shorter than a look from
# outside takes.
WATCH_BANNERS = """() => {
    window.seenBanners = new Set();
    const look = () => document.querySelectorAll(".v-banner").forEach((each) => window.seenBanners.add(each.innerText));
    new MutationObserver(look).observe(document.body, { childList: true, subtree: true, characterData: true });
}"""


async def banners(person: Visitor) -> list[str]:
    return [str(each).strip() for each in await person.page.evaluate("() => [...window.seenBanners]")]


@pytest.mark.parametrize("part", PARTS)
async def test_a_kill_during_a_call(arrive: Arrive, demonstration: Demonstration, meeting: Meeting, part: str) -> None:
    patient, doctor = await arrive("desktop"), await arrive("desktop")
    await meeting.begin(patient, doctor)
    await open_chats(patient, doctor)
    await patient.say("Before")
    await doctor.reads("Before")
    # What the patient has chosen is not forgotten either, above all the silence.
    await patient.page.get_by_role("button", name="Mute", exact=True).click()
    await patient.page.get_by_role("button", name="Raise hand").click()
    seen_by_doctor = doctor.page.get_by_test_id("person-tile")
    hand = seen_by_doctor.get_by_role("img", name=f"{PATIENT_NAME} raised a hand")
    await expect(seen_by_doctor).to_contain_text(f"{PATIENT_NAME} is muted")
    await expect(hand).to_be_visible()
    both = (patient, doctor)
    for person in both:
        await person.page.evaluate(WATCH_BANNERS)
        await person.page.evaluate("() => { window.sameLife = true }")

    marker, banner = PARTS[part]
    before = demonstration.pid_of(marker)
    assert before is not None
    os.kill(before, signal.SIGKILL)
    await demonstration.healed(marker, before)

    # The same pages, in the call, with the other's picture and voice.
    await asyncio.gather(*(person.sees_movement(30) for person in both))
    await patient.hears()
    await expect(seen_by_doctor).to_contain_text(f"{PATIENT_NAME} is muted")
    await expect(hand).to_be_visible()
    await patient.page.get_by_role("button", name="Unmute", exact=True).click()
    await expect(seen_by_doctor).not_to_contain_text("is muted")
    await doctor.hears()
    for person in both:
        assert await person.page.evaluate("() => window.sameLife === true")
        await expect(person.page.get_by_test_id("call")).to_be_visible()
        assert banner in await banners(person)
        await expect(person.page.locator(".v-banner")).to_have_count(0, timeout=15_000)

    # The chat has what was said before, and goes on.
    await patient.say("After")
    await doctor.reads("After")
    await doctor.say("Good to see you again")
    await patient.reads("Good to see you again")
    for person in both:
        await expect(person.page.locator(".v-bubble")).to_have_count(3)
        assert person.broken == []
