"""One case: two people meet through the house while the condition holds, and what their browsers measured."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import figures
from conditions import AWAY_S, BACK, DOWN_S, FALL, UP_S, UP_SHARE, Condition
from figures import Sample
from house import MEDIA_PORT, House, in_chromium, in_firefox
from meeting import PATIENT_NAME, Meeting
from person import Person
from playwright.async_api import Playwright

from loadtests.laboratory import Host

BEGINS_S = 30.0
SETTLES_S = 2.0
WATCHED_S = 12.0
CHANGED_S = 12.0  # watched after a change
BEFORE_S = 5.0  # of what a falling rate is compared with
WORDS = {
    "connects_s": "seconds to media both ways",
    "freezes": "% of the time frozen",
    "silence_s": "seconds of silence",
    "concealed": "% of the sound made up",
    "gap_s": "seconds until back",
    "down_s": "seconds until down",
    "up_s": "seconds until up",
}
NOTHING = "meta l4proto { tcp, udp, icmp }"


@dataclass(slots=True)
class Measured:
    """Of both people, the worse."""

    condition: str
    told: str
    browser: str
    way: str = ""
    connects_s: float | None = None
    freezes: float | None = None
    concealed: float | None = None
    silence_s: float | None = None
    gap_s: float | None = None
    down_s: float | None = None
    up_s: float | None = None
    missed: str = ""

    def judge(self, condition: Condition) -> list[str]:
        """What of the condition's limits was missed, a few words each."""
        limits: dict[str, float | None] = {name: getattr(condition, name) for name in WORDS if hasattr(condition, name)}
        if condition.change == "rate":
            limits |= {"down_s": DOWN_S, "up_s": UP_S}
        found = []
        for name, limit in limits.items():
            value = getattr(self, name)
            if limit is not None and (value is None or value > limit):
                found.append(f"{WORDS[name]} {'not measured' if value is None else f'{value:g}'} (bar {limit:g})")
        if condition.way and self.way != condition.way:
            found.append(f"way {self.way} instead of {condition.way}")
        self.missed = "; ".join(found)
        return found


class Call:
    """The case being played."""

    def __init__(self, house: House, condition: Condition, browser: str, home: Host) -> None:
        self.house, self.condition, self.home = house, condition, home
        self.measured = Measured(condition.name, condition.told, browser)
        self.people: tuple[Person, Person]

    async def play(self, patient: Person, doctor: Person) -> Measured:
        self.people = (patient, doctor)
        meeting = await Meeting.arrange(self.house.running)
        await doctor.sign_in(meeting.doctor, "/practice")
        await meeting.check_in(patient)
        await meeting.wait(patient)
        self.house.harm(self.home, self.condition)
        for person in self.people:
            await person.evaluate("() => window.network.start()")
        began = time.time()
        await doctor.press(f"Let in {PATIENT_NAME}")
        first = await self._first_media(began)
        measured = self.measured
        measured.connects_s = round(first - began, 2)
        await asyncio.sleep(SETTLES_S)
        await self._way(patient)
        if self.condition.change:
            await self._change()
        else:
            start = time.time()
            await asyncio.sleep(WATCHED_S)
            await self._steady(start, time.time())
        return measured

    async def samples(self) -> list[list[Sample]]:
        """Of patient and doctor."""
        told = [await person.evaluate("() => window.network.samples") for person in self.people]
        return [[Sample(**each) for each in samples] for samples in told]

    async def _first_media(self, began: float) -> float:
        while time.time() < began + BEGINS_S:
            moments = [figures.first_media(each) for each in await self.samples()]
            if None not in moments:
                return max(each for each in moments if each is not None)
            await asyncio.sleep(0.3)
        raise AssertionError(f"no media both ways within {BEGINS_S:.0f} s")

    async def _way(self, patient: Person) -> None:
        ways = await patient.evaluate("() => window.network.ways()")
        self.measured.way = "+".join(sorted({each["way"] for each in ways}))
        self.measured_ports = sorted({each["port"] for each in ways})

    async def _steady(self, start: float, end: float) -> None:
        both, measured = await self.samples(), self.measured
        measured.freezes = round(max(figures.frozen(each, start, end) for each in both), 1)
        measured.concealed = round(max(figures.concealed(each, start, end) for each in both), 1)
        measured.silence_s = round(max(figures.longest_gap(each, "packets", start, end) for each in both), 2)

    async def _change(self) -> None:
        change = self.condition.change
        if change == "rate":
            await self._rate()
            return
        lab, home = self.house.lab, self.home
        moment = time.time()
        if change == "move":
            lab.move(home)
        elif change == "away":
            lab.rule(home, NOTHING, "drop")
            await asyncio.sleep(AWAY_S)
            lab.heal()
            moment = time.time()
        else:
            index = next(port - MEDIA_PORT for port in self.measured_ports)
            worker = self.house.running.pid_of(f"media-worker --index {index}")
            assert worker is not None
            os.kill(worker, signal.SIGKILL if change == "kill" else signal.SIGTERM)
        await asyncio.sleep(CHANGED_S)
        both = await self.samples()
        if change == "away":
            back = [figures.back_after(each, moment) for each in both]
            names = ("frames", "packets")
            print("back after", [{name: figures.progress_after(each, name, moment) for name in names} for each in both])
            self.measured.gap_s = None if None in back else round(max(each for each in back if each is not None), 2)
        else:
            end = moment + CHANGED_S
            names = ("frames", "packets")
            gaps = [figures.longest_gap(each, name, moment, end) for each in both for name in names]
            self.measured.gap_s = round(max(gaps), 2)

    async def _rate(self) -> None:
        lab, home = self.house.lab, self.home
        await asyncio.sleep(WATCHED_S)
        fell = time.time()
        lab.limit(home, FALL, way="to")
        await asyncio.sleep(WATCHED_S)
        back = time.time()
        lab.limit(home, BACK, way="to")
        await asyncio.sleep(UP_S + 3)
        patient, _ = await self.samples()
        measured = self.measured
        measured.silence_s = round(figures.longest_gap(patient, "packets", fell, back), 2)
        # It fits when the picture no longer stands: the last of its stops.
        stops = [
            after.at for before, after in pairwise(patient) if fell <= after.at <= back and after.frozen > before.frozen
        ]
        measured.down_s = round(max(stops, default=fell) - fell, 1)
        measured.freezes = round(figures.frozen(patient, fell + DOWN_S, back), 1)
        measured.concealed = round(figures.concealed(patient, fell, back), 1)
        before = figures.kbps(patient, fell - BEFORE_S, fell)
        up = figures.reaches(patient, before * UP_SHARE, back)
        measured.up_s = None if up is None else round(up, 1)


async def play(
    house: House, playwright: Playwright, condition: Condition, browser: str, folder: Path, number: int
) -> Measured:
    """The patient with that browser, the doctor with Chromium."""
    url = house.running.url
    homes = [house.home(f"{who}{number}", condition, patient=who == "home") for who in ("home", "desk")]
    try:
        async with AsyncExitStack() as stack:
            at_home = in_firefox(homes[0], url) if browser == "firefox" else None
            patient = await stack.enter_async_context(at_home or in_chromium(playwright, homes[0], url, folder))
            doctor = await stack.enter_async_context(in_chromium(playwright, homes[1], url, folder))
            return await Call(house, condition, browser, homes[0]).play(patient, doctor)
    finally:
        house.lab.heal()
        for home in homes:
            house.lab.leave(home)
