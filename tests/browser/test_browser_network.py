"""A patient's network during the call: another address, packets lost, nothing for a minute. All without a press."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest
from arrivals import ALLOWS, DEVICES, FLAGS, chromium
from meeting import Meeting
from playwright.async_api import Playwright, expect
from server_process import Demonstration
from visitor import Visitor

from loadtests import laboratory
from loadtests.laboratory import Host, Laboratory

pytestmark = pytest.mark.browser

LOSS = 20.0  # percent each way
NARROW, WIDE = "110kbit", "100mbit"
AWAY_S = 60.0
EVERYTHING = "meta l4proto { tcp, udp, icmp }"


async def visitor(playwright: Playwright, host: Host, url: str, folder: Path) -> Visitor:
    """Somebody whose Chromium is on that host."""
    program = chromium() or playwright.chromium.executable_path
    browser = await playwright.chromium.launch(
        executable_path=host.wrapper(program, folder), args=[*FLAGS, *DEVICES, ALLOWS]
    )
    return await Visitor.enter(await browser.new_context(base_url=url, locale="en-GB", ignore_https_errors=True))


async def test_a_changing_a_weak_and_a_missing_network(playwright: Playwright, tmp_path: Path) -> None:
    reason = laboratory.missing()
    if reason is not None and os.environ.get("BEDSIDE_TEST_PARTIAL") == "1":
        pytest.skip(f"no network laboratory: {reason}")
    assert reason is None, f"no network laboratory: {reason}; BEDSIDE_TEST_PARTIAL=1 leaves this test out"
    with Laboratory() as lab:
        server, home, practice = lab.host("server"), lab.host("home"), lab.host("practice")
        running = Demonstration(tmp_path / "data", lan=server.address, within=server.prefix)
        await running.start()
        try:
            meeting = await Meeting.arrange(running)
            patient = await visitor(playwright, home, running.url, tmp_path)
            doctor = await visitor(playwright, practice, running.url, tmp_path)
            await meeting.begin(patient, doctor)
            await patient.evaluate("() => { window.sameLife = true }")
            for _ in range(2):
                before = home.address
                assert lab.move(home) != before
                await asyncio.gather(patient.sees_movement(30), doctor.sees_movement(30))
                await asyncio.gather(patient.hears(), doctor.hears())
            await a_weak_line(lab, home, patient, doctor)
            await a_minute_away(lab, home, patient, doctor)
            await no_way_for_sound(lab, home, running.media_port, patient, doctor)
            assert await patient.evaluate("() => window.sameLife === true")
            assert patient.broken == []
            assert doctor.broken == []
            for person in (patient, doctor):
                assert person.page.context.browser is not None
                await person.page.context.browser.close()
        finally:
            await running.stop()


async def both_read(patient: Visitor, doctor: Visitor, mode: str, words: str = "", timeout_s: float = 40.0) -> None:
    for person in (patient, doctor):
        banner = person.page.get_by_test_id("mode-banner")
        await expect(banner).to_have_attribute("data-mode", mode, timeout=timeout_s * 1000)
        await expect(banner).to_contain_text(words)


async def a_weak_line(lab: Laboratory, home: Host, patient: Visitor, doctor: Visitor) -> None:
    """Packets get lost, then hardly any room is left: both are told step by step why, go on, and get all back."""
    both = (patient, doctor)
    began = time.monotonic()
    lab.lose(home, LOSS)
    await both_read(patient, doctor, "low", "The connection is weak, so pictures are smaller.")
    for person in both:
        await expect(person.page.get_by_test_id("mode-banner")).to_contain_text("gets lost on the way")
    print(f"loss: small pictures after {time.monotonic() - began:.1f} s")
    await asyncio.gather(*(person.sees_movement() for person in both))
    lab.limit(home, NARROW, way="to")
    lab.heal()
    began = time.monotonic()
    await both_read(patient, doctor, "audio", "so we turned the pictures off", timeout_s=60)
    print(f"narrow: sound alone after {time.monotonic() - began:.1f} s")
    await asyncio.gather(*(person.hears() for person in both))
    for person in both:
        await expect(person.page.get_by_test_id("person-tile").locator("video")).to_have_count(0)
    lab.limit(home, WIDE, way="to")
    began = time.monotonic()
    for person in both:
        await expect(person.page.locator("[data-mode=audio]")).to_have_count(0, timeout=120_000)
    await asyncio.gather(*(person.sees_movement() for person in both))
    print(f"pictures again {time.monotonic() - began:.1f} s after the line is wide")


async def no_way_for_sound(lab: Laboratory, home: Host, media_port: int, patient: Visitor, doctor: Visitor) -> None:
    """Nothing of the patient's media comes through, by no transport: a call-back is offered, chosen, and left again."""
    began = time.monotonic()
    lab.rule(home, f"meta l4proto {{ tcp, udp }} th dport {media_port}", "drop", way="from")
    await both_read(patient, doctor, "phone", timeout_s=90)
    print(f"no media: the call-back is offered after {time.monotonic() - began:.1f} s")
    await expect(doctor.page.get_by_test_id("mode-banner").get_by_role("link")).to_have_text("+221771234567")
    await patient.page.get_by_role("button", name="Call me", exact=True).click()
    await expect(patient.page.get_by_test_id("mode-banner")).to_contain_text("will call you on the number you gave")
    lab.heal()
    await doctor.page.get_by_role("button", name="Back to the video").click()
    await asyncio.gather(patient.hears(), doctor.hears())


async def a_minute_away(lab: Laboratory, home: Host, patient: Visitor, doctor: Visitor) -> None:
    """Nothing passes for a minute: the seat is kept, the other side knows, and all is back without a press."""
    tile = doctor.page.get_by_test_id("person-tile")
    lab.rule(home, EVERYTHING, "drop")
    began = time.monotonic()
    await expect(tile).to_contain_text("Coming back…", timeout=60_000)
    print(f"the doctor reads it {time.monotonic() - began:.1f} s after the network is gone")
    await asyncio.sleep(max(0.0, AWAY_S - (time.monotonic() - began)))
    await expect(tile).to_have_count(1)
    lab.heal()
    began = time.monotonic()
    await asyncio.gather(patient.sees_movement(), doctor.sees_movement())
    await expect(tile).not_to_contain_text("Coming back…", timeout=20_000)
    await expect(patient.page.locator(".v-banner:not([data-mode])")).to_have_count(0, timeout=20_000)
    print(f"all is back {time.monotonic() - began:.1f} s after the network")
