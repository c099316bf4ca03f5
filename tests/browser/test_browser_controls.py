"""What a person sets for themselves in a call: a blurred room, a small window, keys, another microphone."""

from __future__ import annotations

import asyncio

import pytest
from arrivals import Arrive
from meeting import Meeting
from playwright.async_api import expect

pytestmark = pytest.mark.browser

# Keeps what the page captures, so that a device can be pulled out from outside.
KEEP_CAPTURED = """
    const devices = navigator.mediaDevices;
    const capture = devices.getUserMedia.bind(devices);
    window.captured = [];
    devices.getUserMedia = async (wish) => {
        const got = await capture(wish);
        window.captured.push(...got.getTracks());
        return got;
    };
"""
PULL_OUT = """(kind) => {
    for (const track of window.captured.filter((one) => one.kind === kind)) track.stop();
    navigator.mediaDevices.dispatchEvent(new Event("devicechange"));
}"""
# Which tracks this page sends: a camera's has a device, a canvas's has none.
SENT_BY_DEVICE = """() => window.keptConnections.filter((one) => one.connectionState === "connected")
    .flatMap((one) => one.getSenders())
    .filter(({ track }) => track?.kind === "video" && track.readyState === "live")
    .map(({ track }) => track.constructor.name !== "CanvasCaptureMediaStreamTrack")"""
FETCHED = """() => performance.getEntriesByType("resource").filter(({ name }) => name.includes("/blur/")).length"""


async def test_blur_small_window_keys_and_a_lost_microphone(arrive: Arrive, meeting: Meeting) -> None:
    patient, doctor = await arrive("phone"), await arrive("desktop")
    await patient.page.add_init_script(KEEP_CAPTURED)
    await meeting.begin(patient, doctor)
    page, desk = patient.page, doctor.page

    # Blur: the model comes from here when it is asked for, and the room is never sent meanwhile.
    assert await patient.evaluate(FETCHED) == 0
    assert await patient.evaluate(SENT_BY_DEVICE) == [True]
    await page.get_by_role("toolbar").get_by_role("button", name="More").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_text("Blur the room behind me").click()
    await expect(dialog).to_contain_text("Only you can be seen clearly.", timeout=60_000)
    assert await patient.evaluate(SENT_BY_DEVICE) == [False]
    await doctor.sees_movement(5, timeout_s=60)
    await dialog.get_by_text("Blur the room behind me").click()
    await expect(dialog).not_to_contain_text("Only you can be seen clearly.")
    await doctor.sees_movement()
    assert await patient.evaluate(SENT_BY_DEVICE) == [True]
    await dialog.get_by_role("button", name="Close", exact=True).last.click()

    # Keys, and the list of them.
    await desk.locator("body").press("m")
    await expect(desk.get_by_role("button", name="Unmute", exact=True)).to_be_visible()
    await desk.locator("body").press("m")
    await desk.locator("body").press("?")
    await expect(desk.get_by_test_id("shortcuts")).to_contain_text("Raise or lower your hand")
    await desk.keyboard.press("Escape")
    await expect(desk.get_by_test_id("shortcuts")).to_have_count(0)

    # A microphone that is pulled out: said, replaced, and heard again.
    await doctor.hears()
    await page.evaluate(PULL_OUT, "audio")
    await expect(page.get_by_text("was unplugged. You now use")).to_be_visible()
    await doctor.hears()
    await asyncio.gather(patient.sees_movement(), doctor.sees_movement())

    # The small window above all others.
    async with desk.context.expect_page() as opening:
        await desk.locator("body").press("p")
    small = await opening.value
    await expect(small.get_by_test_id("floating-call").locator("video")).to_have_js_property("paused", False)
    await small.get_by_role("button", name="Mute", exact=True).click()
    await expect(desk.get_by_role("button", name="Unmute", exact=True)).to_be_visible()
    await small.close()
    await expect(desk.get_by_test_id("floating-call")).to_have_count(0)
    assert [patient.broken, doctor.broken] == [[], []]
