"""Booking, moving and calendars in a real Chromium: two time zones, a night when clocks change, the desk's board."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import aiohttp
import pytest
from playwright.async_api import expect
from practice import DESK, PARIS, Practice, in_days, no_sideways, time_of
from server_process import Demonstration
from visitor import Visitor

pytestmark = pytest.mark.browser
# Slow machines show the same things, later.
expect.set_options(timeout=20_000)

Arrive = Callable[[str], Awaitable[Visitor]]
TOKYO = ZoneInfo("Asia/Tokyo")
# Further ahead than the demonstration's own visits.
AHEAD = 20


async def test_a_patient_in_tokyo_books_a_doctor_in_paris_by_keyboard(arrive: Arrive, practice: Practice) -> None:
    await practice.patient.call("PATCH", "/me", {"time_zone": "Asia/Tokyo"})
    patient = await arrive("phone")
    await patient.sign_in(practice.emails.patient, "/")
    page = patient.page
    day = in_days(AHEAD, TOKYO)
    first = datetime(day.year, day.month, day.day, 17, tzinfo=TOKYO).astimezone(UTC)
    await page.goto(f"/book/{practice.doctor.id}?date={day}")
    start = first.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    chosen = time_of(page, start)
    await expect(chosen).to_contain_text("17:00")
    theirs = first.astimezone(PARIS).strftime("%H:%M")
    await expect(chosen).to_contain_text(theirs)
    await expect(page.get_by_text("Asia/Tokyo")).to_be_visible()
    await expect(page.get_by_text("Europe/Paris")).to_be_visible()
    await no_sideways(page)

    # Reached and changed with the keyboard alone.
    await chosen.focus()
    await page.keyboard.press("Enter")
    await page.keyboard.press("ArrowDown")
    later = (first + timedelta(minutes=30)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    await expect(time_of(page, later)).to_be_focused()
    await expect(time_of(page, later)).to_have_attribute("aria-checked", "true")
    await expect(page.get_by_test_id("hold")).to_contain_text("We keep this time for you")
    await page.get_by_role("button", name="Book this time").click()
    await expect(page.get_by_role("heading", name="You are booked")).to_be_visible()
    await expect(page.get_by_text("17:30").first).to_be_visible()
    [made] = [
        each
        for each in (await practice.patient.call("GET", "/appointments?limit=100"))["items"]
        if each["start"] == later
    ]
    assert made["practitioner_time_zone"] == "Europe/Paris"
    assert patient.broken == []


async def test_the_night_with_an_hour_twice_offers_it_twice(arrive: Arrive, practice: Practice) -> None:
    now = datetime.now(UTC)
    night = max(
        day for day in (date(now.year, 10, 31), date(now.year + 1, 10, 31)) if day <= in_days(390)
    )  # clocks in Paris go back on the last Sunday of October
    night -= timedelta(days=(night.weekday() + 1) % 7)
    assert datetime(night.year, night.month, night.day, 12, tzinfo=PARIS).utcoffset() == timedelta(hours=1)
    await practice.hours("01:00", "05:00")
    await practice.patient.call("PATCH", "/me", {"time_zone": "Europe/Paris"})
    patient = await arrive("desktop")
    await patient.sign_in(practice.emails.patient, "/")
    page = patient.page
    await page.goto(f"/book/{practice.doctor.id}?date={night}")
    await expect(page.get_by_text("clocks go back")).to_be_visible()
    summer = f"{night}T00:30:00.000Z"
    winter = f"{night}T01:30:00.000Z"
    await expect(time_of(page, summer)).to_contain_text("02:30 (UTC+2)")
    await expect(time_of(page, winter)).to_contain_text("02:30 (UTC+1)")
    await time_of(page, winter).click()
    await page.get_by_role("button", name="Book this time").click()
    await expect(page.get_by_role("heading", name="You are booked")).to_be_visible()
    starts = {each["start"] for each in (await practice.patient.call("GET", "/appointments?limit=100"))["items"]}
    assert winter in starts
    assert summer not in starts
    assert patient.broken == []


async def test_a_visit_is_moved_and_called_off_in_two_presses_each(arrive: Arrive, practice: Practice) -> None:
    starts = await practice.free(in_days(AHEAD + 2))
    visit = await practice.book(starts[0])
    patient = await arrive("phone")
    await patient.sign_in(practice.emails.patient, "/")
    page = patient.page
    await page.goto("/visits")
    card = page.get_by_role("article").filter(has=page.get_by_role("button", name="Change time")).last
    await card.get_by_role("button", name="Change time").click()
    dialog = page.get_by_role("dialog")
    await dialog.locator('[role="radio"]:visible').first.click()
    await no_sideways(page)
    await dialog.get_by_role("button", name="Move to").click()
    await expect(page.get_by_text("Your visit is moved to")).to_be_visible()
    assert (await practice.visit(visit))["start"] != starts[0]
    await card.get_by_role("button", name="Cancel visit").click()
    await page.get_by_role("alertdialog").get_by_role("button", name="Cancel visit").click()
    await expect(page.get_by_text("The visit is cancelled.")).to_be_visible()
    assert (await practice.visit(visit))["status"] == "cancelled"
    assert patient.broken == []


async def test_the_schedule_editor_shows_what_would_result_before_it_is_saved(
    arrive: Arrive, new_practice: Practice
) -> None:
    await new_practice.hours("09:00", "12:00")
    doctor = await arrive("desktop")
    await doctor.sign_in(new_practice.emails.doctor, "/practice")
    page = doctor.page
    await page.goto("/schedule")
    preview = page.get_by_test_id("preview")
    await preview.get_by_role("button", name="Week after").click()
    await expect(preview.get_by_text("42 free visits in this week")).to_be_visible()
    await page.get_by_label("Length of a visit (minutes)").fill("60")
    await expect(preview.get_by_text("21 free visits in this week")).to_be_visible()
    await page.get_by_label("Pause after a visit (minutes)").fill("30")
    await expect(preview.get_by_text("14 free visits in this week")).to_be_visible()
    saved = await new_practice.doctor.call("GET", f"/practitioners/{new_practice.doctor.id}/schedule")
    assert saved["slot_minutes"] == 30, "a preview saves nothing"
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("Your hours are saved.")).to_be_visible()
    saved = await new_practice.doctor.call("GET", f"/practitioners/{new_practice.doctor.id}/schedule")
    assert (saved["slot_minutes"], saved["buffer_minutes"]) == (60, 30)
    assert doctor.broken == []


async def test_the_desk_drags_a_visit_and_moves_it_by_keys(arrive: Arrive, practice: Practice) -> None:
    day = in_days(AHEAD + 4)
    starts = await practice.free(day)
    visit = await practice.book(starts[4])
    desk = await arrive("desktop")
    await desk.sign_in(DESK, "/calendar")
    page = desk.page
    await page.get_by_label("Day", exact=True).fill(str(day))
    block = page.get_by_test_id(f"visit-{visit}")
    await expect(block).to_be_visible()
    lane = page.get_by_role("region", name=practice.doctor.name).filter(has=block)
    await expect(lane.locator(".desk-free").first).to_be_attached()

    async def confirm() -> None:
        await page.get_by_role("alertdialog").get_by_role("button", name="Move the visit").click()
        await expect(page.get_by_role("alertdialog")).to_have_count(0)

    # Four slots of 30 minutes further down.
    await block.scroll_into_view_if_needed()
    box = await block.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    await page.mouse.move(x, y)
    await page.mouse.down()
    await page.mouse.move(x, y + 20)
    await page.mouse.move(x, y + 4 * 30 * 1.2, steps=5)
    await page.mouse.up()
    await confirm()
    assert (await practice.visit(visit))["start"] == starts[8]

    await expect(block).to_contain_text(
        datetime.fromisoformat(starts[8]).astimezone(await zone_of(desk)).strftime("%H:%M")
    )
    await block.focus()
    await page.keyboard.press("Space")
    await page.keyboard.press("ArrowUp")
    await page.keyboard.press("Enter")
    await confirm()
    assert (await practice.visit(visit))["start"] == starts[7]
    # Escape leaves it where it is.
    await block.focus()
    await page.keyboard.press("Space")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("alertdialog")).to_have_count(0)
    assert (await practice.visit(visit))["start"] == starts[7]
    assert desk.broken == []


async def zone_of(visitor: Visitor) -> ZoneInfo:
    return ZoneInfo((await visitor.api("/me"))["time_zone"])


async def test_a_feed_is_made_read_and_ended(
    arrive: Arrive, new_practice: Practice, demonstration: Demonstration
) -> None:
    doctor = await arrive("phone")
    await doctor.sign_in(new_practice.emails.doctor, "/practice")
    page = doctor.page
    await page.goto("/profile")
    await page.get_by_role("button", name="Make an address").click()
    url = await page.get_by_label("Address of your calendar").input_value()
    await no_sideways(page)
    async with aiohttp.ClientSession() as session:
        async with session.get(url) as answer:
            assert answer.status == 200
            assert "BEGIN:VEVENT" in await answer.text()
        await page.get_by_role("button", name="End the address").click()
        await page.get_by_role("alertdialog").get_by_role("button", name="End the address").click()
        await expect(page.get_by_role("button", name="Make an address")).to_be_visible()
        async with session.get(url) as answer:
            assert answer.status == 404
    assert doctor.broken == []
