"""A practice at the API, beside the browsers that a test watches."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
from meeting import Meeting
from person import PASSWORD
from playwright.async_api import Page
from server_process import Demonstration

PARIS = ZoneInfo("Europe/Paris")
DESK, PUBLISHED = "desk@demo.bedside", "julien.moreau@demo.bedside"
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


def in_days(days: int, zone: ZoneInfo = PARIS) -> date:
    return (datetime.now(UTC).astimezone(zone) + timedelta(days=days)).date()


async def no_sideways(page: Page) -> None:
    """Nothing of the page lies beside the screen."""
    wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0


def time_of(page: Page, start: str) -> Any:
    return page.locator(f'[role="radio"][data-start="{start}"]')
