"""What a receiver's falling rate does to a call: Chromium to Chromium, the second one's way narrowed and widened.

    python -m loadtests.media_rate --rates 2mbit:15,300kbit:15,2mbit:25

Needs root, nftables and ``tc`` (``loadtests/laboratory.py``). Prints a line a second: the worker's estimate
for the doctor, what the doctor got, and what was lost of the sound.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.async_api import Page, async_playwright

from loadtests.laboratory import Host, Laboratory, LaboratoryError
from loadtests.media_stage import Stage, browser, chromium

BEGIN_WITHIN_S = 60.0
PEOPLE = ("patient", "doctor")


async def run(rates: list[tuple[str, float]], height: int) -> None:
    """One call."""
    with Laboratory() as lab, tempfile.TemporaryDirectory(prefix="bedside-rate-") as folder:
        server = lab.host("server")
        hosts = [lab.host(person) for person in PEOPLE]
        lab.limit(hosts[1], rates[0][0])
        with server.entered():
            await _call(lab, server, hosts, Path(folder), rates, height)


async def _call(
    lab: Laboratory, server: Host, hosts: list[Host], folder: Path, rates: list[tuple[str, float]], height: int
) -> None:
    first, second = (host.wrapper(chromium(), folder) for host in hosts)
    async with (
        Stage(folder, server.address) as stage,
        async_playwright() as playwright,
        browser(playwright.chromium, stage.url, path=first) as patient,
        browser(playwright.chromium, stage.url, path=second) as doctor,
    ):
        size = {"width": height * 16 // 9, "height": height}
        for person, page in zip(PEOPLE, (patient, doctor), strict=True):
            await page.evaluate("([person, size]) => { publish(person, size); subscribe(person); }", [person, size])
        async with asyncio.timeout(BEGIN_WITHIN_S):
            while not await doctor.evaluate("() => people.doctor?.subscribe !== undefined"):
                await asyncio.sleep(0.1)
            while not (await doctor.evaluate("received", "doctor")).get("height"):
                await asyncio.sleep(0.1)
        print(
            "| s | rate | estimate kbit/s | waiting | probes | got kbit/s | frames | height | frozen s | sound lost |"
        )
        print("|" + " ---: |" * 10)
        clock = 0
        before = await doctor.evaluate("received", "doctor")
        for rate, seconds in rates:
            lab.limit(hosts[1], rate)
            for _ in range(int(seconds)):
                await asyncio.sleep(1)
                clock += 1
                before = await _line(stage, doctor, clock, rate, before)


async def _line(stage: Stage, doctor: Page, clock: int, rate: str, before: dict[str, Any]) -> dict[str, Any]:
    now: dict[str, Any] = await doctor.evaluate("received", "doctor")
    figures = (await stage.ask("stats"))["rooms"][stage.room]["doctor"]

    def grown(kind: str, name: str) -> float:
        return float(now[kind].get(name, 0) - before[kind].get(name, 0))

    cells = [
        f"{clock}",
        rate,
        f"{figures.get('estimate', 0) / 1000:.0f}",
        f"{figures.get('waiting', 0)}",
        f"{figures.get('probes', 0)}",
        f"{(grown('video', 'bytesReceived') + grown('audio', 'bytesReceived')) * 8 / 1000:.0f}",
        f"{grown('video', 'framesDecoded'):.0f}",
        f"{now.get('height', 0)}",
        f"{grown('video', 'totalFreezesDuration'):.2f}",
        f"{grown('audio', 'packetsLost'):.0f}",
    ]
    print("| " + " | ".join(cells) + " |", flush=True)
    return now


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", default="2mbit:15,300kbit:15,2mbit:25", help="rate:seconds, one after the other")
    parser.add_argument("--height", type=int, default=720, help="of the published pictures")
    chosen = parser.parse_args()
    rates = [(rate, float(seconds)) for rate, _, seconds in (each.partition(":") for each in chosen.rates.split(","))]
    try:
        asyncio.run(run(rates, chosen.height))
    except LaboratoryError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
