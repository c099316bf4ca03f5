"""Booking, moving and calendars in a real Chromium: two time zones, a night when clocks change, the desk's board."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
import pytest
from meeting import Meeting
from person import PASSWORD
from playwright.async_api import Page, expect
from server_process import Demonstration
from visitor import Visitor

pytestmark = pytest.mark.browser
# Slow machines show the same things, later.
expect.set_options(timeout=20_000)

Arrive = Callable[[str], Awaitable[Visitor]]
PARIS, TOKYO = ZoneInfo("Europe/Paris"), ZoneInfo("Asia/Tokyo")
DESK, PUBLISHED = "desk@demo.bedside", "julien.moreau@demo.bedside"
# Further ahead than the demonstration's own visits.
AHEAD = 20
ALL_WEEK = range(7)


class Client:
    """Somebody at the API, beside the browser."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str, user: dict[str, Any]) -> None:
        self._session, self._url, self._token = session, url, token
        self.id: str = user["id"]
        self.name: str = user["name"]

    @classmethod
    async def sign_in(cls, session: aiohttp.ClientSession, demo: Demonstration, email: str) -> Client:
        body = {"email": email, "password": PASSWORD, "client": "native"}
        async with session.post(f"{demo.url}/api/v1/auth/login", json=body) as answer:
            signed_in = await answer.json()
        return cls(session, demo.url, signed_in["access_token"], signed_in["user"])

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {self._token}"}
        async with self._session.request(method, f"{self._url}/api/v1{path}", json=body, headers=headers) as answer:
            assert answer.status < 300, await answer.text()
            return None if answer.status == 204 else await answer.json()


class Practice:
    """A doctor in Paris, open each day from 08:00 to 20:00, and a patient whom nobody else knows."""

    def __init__(self, doctor: Client, patient: Client, emails: Meeting) -> None:
        self.doctor, self.patient, self.emails = doctor, patient, emails

    async def hours(self, start: str, end: str, weekdays: Any = ALL_WEEK, horizon: int = 400) -> None:
        path = f"/practitioners/{self.doctor.id}/schedule"
        try:
            version = (await self.doctor.call("GET", path))["version"]
        except AssertionError:
            version = 0
        rules = [{"weekday": day, "start": start, "end": end} for day in weekdays]
        more = {"slot_minutes": 30, "buffer_minutes": 0, "notice_minutes": 60, "horizon_days": horizon}
        plan = {"time_zone": "Europe/Paris", "rules": rules, "exceptions": [], "version": version, **more}
        await self.doctor.call("PUT", path, plan)

    async def free(self, day: date) -> list[str]:
        path = f"/appointments/available?practitioner_id={self.doctor.id}&date={day}"
        return [slot["start"] for slot in (await self.patient.call("GET", path))["items"]]

    async def book(self, start: str) -> str:
        body = {"practitioner_id": self.doctor.id, "start": start}
        return str((await self.patient.call("POST", "/appointments", body))["id"])

    async def visit(self, visit: str) -> dict[str, Any]:
        found: dict[str, Any] = await self.patient.call("GET", f"/appointments/{visit}")
        return found


@pytest.fixture
async def practice(demonstration: Demonstration, meeting: Meeting) -> AsyncIterator[Practice]:
    """With a doctor of the demonstration, whom everybody finds."""
    async with aiohttp.ClientSession() as session:
        doctor = await Client.sign_in(session, demonstration, PUBLISHED)
        made = Practice(doctor, await Client.sign_in(session, demonstration, meeting.patient), meeting)
        await made.hours("08:00", "20:00")
        yield made


@pytest.fixture
async def new_practice(demonstration: Demonstration, meeting: Meeting) -> AsyncIterator[Practice]:
    """With a doctor who has one visit, open now, and whom nobody can find yet."""
    async with aiohttp.ClientSession() as session:
        doctor = await Client.sign_in(session, demonstration, meeting.doctor)
        yield Practice(doctor, await Client.sign_in(session, demonstration, meeting.patient), meeting)


def in_days(days: int, zone: ZoneInfo = PARIS) -> date:
    return (datetime.now(UTC).astimezone(zone) + timedelta(days=days)).date()


async def no_sideways(page: Page) -> None:
    """Nothing of the page lies beside the screen."""
    wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0


def time_of(page: Page, start: str) -> Any:
    return page.locator(f'[role="radio"][data-start="{start}"]')


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
