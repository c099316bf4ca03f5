"""SIGKILL of each part of the house in turn, during one visit: both pages stay in it, without a press."""

from __future__ import annotations

import asyncio
import os
import signal
import time

import pytest
from arrivals import Arrive
from meeting import PATIENT_NAME, Meeting, open_chats
from playwright.async_api import expect
from server_process import Demonstration
from visitor import Visitor

pytestmark = pytest.mark.browser

HEALED_S = 90.0  # a busy machine may need a minute for a server's start
# What stands in the command line, and what people are told; nothing where the visit does not need the part.
PARTS = {
    "server": ("server serve", "The connection was lost. We're bringing you back…"),
    "media worker": ("media-worker", "Looking for a better way to connect…"),
    "Valkey": ("valkey", None),
    "PostgreSQL": ("/postgres ", None),
}
# Keeps, from inside the page, the banners that were shown at any moment: one may be up shorter than a look from
# outside takes.
WATCH_BANNERS = """() => {
    window.sameLife = true;
    window.seenBanners = new Set();
    const look = () => document.querySelectorAll(".v-banner").forEach((each) => window.seenBanners.add(each.innerText));
    new MutationObserver(look).observe(document.body, { childList: true, subtree: true, characterData: true });
}"""


async def banners(person: Visitor) -> list[str]:
    return [str(each).strip() for each in await person.page.evaluate("() => [...window.seenBanners]")]


async def talk(patient: Visitor, doctor: Visitor, part: str) -> None:
    """Both write, and read the other. Words sent while a part is away wait for it."""
    await patient.say(f"After {part}")
    await doctor.reads(f"After {part}", timeout_s=45)
    await doctor.say(f"Good to see you after {part}")
    await patient.reads(f"Good to see you after {part}", timeout_s=45)


async def test_every_part_killed_during_a_call(arrive: Arrive, demonstration: Demonstration, meeting: Meeting) -> None:
    patient, doctor = await arrive("desktop"), await arrive("desktop")
    await meeting.begin(patient, doctor)
    await open_chats(patient, doctor)
    both = (patient, doctor)
    # What the patient has chosen is not forgotten either, above all the silence.
    await patient.page.get_by_role("button", name="Mute", exact=True).click()
    await patient.page.get_by_role("button", name="Raise hand").click()
    seen_by_doctor = doctor.page.get_by_test_id("person-tile")
    hand = seen_by_doctor.get_by_role("img", name=f"{PATIENT_NAME} raised a hand")
    await expect(seen_by_doctor).to_contain_text(f"{PATIENT_NAME} is muted")
    await expect(hand).to_be_visible()
    for person in both:
        await person.page.evaluate(WATCH_BANNERS)
    for part, (marker, banner) in PARTS.items():
        for person in both:
            await person.page.evaluate("() => window.seenBanners.clear()")
        before = demonstration.pid_of(marker)
        assert before is not None, part
        os.kill(before, signal.SIGKILL)
        since = time.monotonic()
        if banner is None:  # media needs neither, and words may be written meanwhile
            await asyncio.gather(*(person.sees_movement() for person in both))
            await patient.say(f"Without {part}")
        healed = await demonstration.healed(marker, before, timeout_s=HEALED_S)
        if banner is None:
            await doctor.reads(f"Without {part}", timeout_s=45)
        await asyncio.gather(*(person.sees_movement(timeout_s=60) for person in both))
        moving = time.monotonic() - since
        await talk(patient, doctor, part)
        talked = time.monotonic() - since
        print(f"{part} killed: up again {healed:.1f} s, pictures {moving:.1f} s, words both ways {talked:.1f} s later")
        await patient.hears()
        await expect(seen_by_doctor).to_contain_text(f"{PATIENT_NAME} is muted")
        await expect(hand).to_be_visible()
        for person in both:
            assert await person.page.evaluate("() => window.sameLife === true"), part
            if banner is not None:
                assert banner in await banners(person)
            await expect(person.page.locator(".v-banner")).to_have_count(0, timeout=15_000)
    await patient.page.get_by_role("button", name="Unmute", exact=True).click()
    await expect(seen_by_doctor).not_to_contain_text("is muted")
    await doctor.hears()
    for person in both:
        await expect(person.page.locator(".v-bubble")).to_have_count(2 * len(PARTS) + 2)
        assert person.broken == []
