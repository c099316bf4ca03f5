"""In a real Chromium: waiting for a freed time, coming without an appointment, series, staff's overlap, the search."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import aiohttp
import pytest
from playwright.async_api import Locator, Page, expect
from practice import DESK, Client, Practice, in_days, no_sideways, time_of
from server_process import Demonstration
from visitor import Visitor

pytestmark = pytest.mark.browser
expect.set_options(timeout=20_000)

Arrive = Callable[[str], Awaitable[Visitor]]
# Further ahead than other tests book.
AHEAD = 34


async def choose(page: Page, within: Page | Locator, label: str, option: str) -> None:
    """Pick from a list by its label."""
    await within.get_by_role("button", name=label).click()
    await page.get_by_role("option", name=option, exact=True).click()


async def pick_patient(page: Page | Locator, email: str) -> None:
    """Staff find for whom they act."""
    await page.get_by_role("searchbox", name="Patient").fill(email)
    await page.get_by_role("button", name=email).click()


async def test_whoever_waits_is_offered_the_time_that_becomes_free(
    arrive: Arrive, practice: Practice, demonstration: Demonstration
) -> None:
    day = in_days(AHEAD)
    await practice.hours("09:00", "09:30", [day.weekday()])  # one time a week
    [start] = await practice.free(day)
    async with aiohttp.ClientSession() as session:
        other = await Client.sign_in(session, demonstration, practice.emails.acquaintance)
        body = {"practitioner_id": practice.doctor.id, "start": start}
        taken = (await other.call("POST", "/appointments", body))["id"]
        patient = await arrive("phone")
        await patient.sign_in(practice.emails.patient, "/")
        page = patient.page
        await page.goto(f"/book/{practice.doctor.id}?date={day}")
        await page.get_by_role("button", name="Tell me when a time is free").first.click()
        dialog = page.get_by_role("dialog")
        await no_sideways(page)
        await dialog.get_by_role("button", name="Put me on the list").click()
        await expect(page.get_by_text("You are on the list.")).to_be_visible()
        await page.goto("/visits")
        await expect(page.get_by_text("Waiting for a free time")).to_be_visible()
        await other.call("DELETE", f"/appointments/{taken}")
    # Without a press: the page looks again by itself.
    await expect(page.get_by_role("heading", name="A time has become free")).to_be_visible(timeout=40_000)
    await no_sideways(page)
    await page.get_by_role("button", name="Take this time").click()
    await expect(page.get_by_text("You are booked")).to_be_visible()
    mine = (await practice.patient.call("GET", "/appointments?limit=100"))["items"]
    assert start in {each["start"] for each in mine if each["status"] == "booked"}
    notices = (await practice.patient.call("GET", "/notifications"))["items"]
    assert "waitlist.offered" in {each["kind"] for each in notices}
    assert patient.broken == []


async def test_a_person_without_an_appointment_is_seen_next(arrive: Arrive, new_practice: Practice) -> None:
    await new_practice.patient.call("DELETE", f"/appointments/{new_practice.emails.appointment_id}")
    patient, doctor = await arrive("phone"), await arrive("desktop")
    await patient.sign_in(new_practice.emails.patient, "/")
    page = patient.page
    await page.goto("/find")
    await page.get_by_role("button", name="Join the line").click()
    dialog = page.get_by_role("dialog")
    await choose(page, dialog, "Specialty", "General practice")
    await dialog.get_by_role("button", name="Join the line").click()
    await expect(page.get_by_text("You are in line")).to_be_visible()
    await no_sideways(page)
    await doctor.sign_in(new_practice.emails.doctor, "/practice")
    await doctor.page.goto("/calendar")
    queue = doctor.page.get_by_role("region", name="Without appointment")
    await expect(queue.get_by_text(new_practice.patient.name).first).to_be_visible()
    await queue.get_by_role("button", name="See the next one").click()
    await doctor.page.wait_for_url("**/cockpit/*")
    visit = doctor.page.url.rpartition("/")[2]
    # The patient's page follows.
    await page.wait_for_url(f"**/visit/{visit}", timeout=30_000)
    made = await new_practice.visit(visit)
    assert (made["kind"], made["practitioner_id"]) == ("drop_in", new_practice.doctor.id)
    assert patient.broken == []
    assert doctor.broken == []


async def test_the_desk_books_a_series_or_is_told_which_days_are_taken(arrive: Arrive, practice: Practice) -> None:
    day = in_days(AHEAD + 2)
    starts = await practice.free(day)
    await practice.book((await practice.free(day + timedelta(days=7)))[0])
    desk = await arrive("desktop")
    await desk.sign_in(DESK, "/calendar")
    page = desk.page
    await page.goto(f"/book/{practice.doctor.id}?date={day}")
    await pick_patient(page, practice.emails.patient)
    await choose(page, page, "Repeats", "Every week")
    await page.get_by_label("Visits in all").fill("3")
    await time_of(page, starts[0]).click()
    await page.get_by_role("button", name="Book 3 visits").click()
    await expect(page.get_by_text("These can’t be booked:")).to_be_visible()
    await expect(page.get_by_role("listitem").filter(has_text="taken")).to_have_count(1)
    assert starts[0] in await practice.free(day), "all of them, or none"
    await time_of(page, starts[1]).click()
    await page.get_by_role("button", name="Book 3 visits").click()
    await expect(page.get_by_role("heading", name="You are booked")).to_be_visible()
    mine = (await practice.patient.call("GET", "/appointments?limit=100"))["items"]
    series = [each for each in mine if each["series_id"]]
    assert len({each["series_id"] for each in series}) == 1
    assert len(series) == 3
    assert desk.broken == []


async def test_the_desk_books_on_top_of_a_visit_with_a_reason(arrive: Arrive, practice: Practice) -> None:
    day = in_days(AHEAD + 4)
    start = (await practice.free(day))[3]
    await practice.book(start)
    desk = await arrive("desktop")
    await desk.sign_in(DESK, "/calendar")
    page = desk.page
    zone = ZoneInfo((await desk.api("/me"))["time_zone"])
    local = datetime.fromisoformat(start).astimezone(zone)
    await page.get_by_role("button", name="Add a visit").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Practitioner").click()
    await page.get_by_role("option", name=practice.doctor.name).click()
    await pick_patient(dialog, practice.emails.acquaintance)
    await dialog.get_by_label("Day", exact=True).fill(str(local.date()))
    await dialog.get_by_label("Time", exact=True).fill(f"{local:%H:%M}")
    await dialog.get_by_role("button", name="Book", exact=True).click()
    await expect(dialog.get_by_text("taken or not offered")).to_be_visible()
    all_the_same = dialog.get_by_role("button", name="Book all the same")
    await expect(all_the_same).to_be_disabled()
    await dialog.get_by_label("Why this time").fill("Came in from the ward, agreed with the doctor")
    await all_the_same.click()
    await expect(dialog).to_have_count(0)
    booked = await practice.doctor.call("GET", f"/appointments?date={day}&limit=100")
    both = [each for each in booked["items"] if each["start"] == start]
    assert sorted(each["overlap"] for each in both) == [False, True]
    assert desk.broken == []


async def test_a_doctor_is_found_by_price_insurer_and_distance(arrive: Arrive) -> None:
    somebody = await arrive("phone")
    page = somebody.page
    # In Lyon, who said yes to the browser's question.
    await page.context.grant_permissions(["geolocation"])
    await page.context.set_geolocation({"latitude": 45.7578, "longitude": 4.8320})
    await page.goto("/find")
    cards = page.get_by_role("listitem").filter(has=page.get_by_role("heading", level=2))
    await expect(cards.first).to_be_visible()
    await page.get_by_role("button", name="Price, insurer, distance").click()
    await choose(page, page, "Currency", "EUR")
    await page.get_by_label("Price up to, in EUR").fill("40")
    await expect(cards).to_have_count(1)
    await expect(cards.first).to_contain_text("€35")
    await page.get_by_label("Price up to, in EUR").fill("100,00")
    await expect(cards).to_have_count(3)
    assert "fee=100" in page.url
    await choose(page, page, "Distance from me", "Up to 20 km")
    await expect(cards).to_have_count(1)
    await expect(cards.first).to_contain_text("Lyon, France (1 km away)")
    assert "45.7" not in page.url, "where somebody is stays out of the address"
    await choose(page, page, "Distance from me", "Any distance")
    await choose(page, page, "Currency", "Any currency")
    await choose(page, page, "Insurer", "Mutuelle Teranga")
    await expect(cards.filter(has_text="Senegal")).not_to_have_count(0)
    await expect(cards.filter(has_text="France")).to_have_count(0)
    await no_sideways(page)
    assert somebody.broken == []
