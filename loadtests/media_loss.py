"""What random loss on both legs does to a call: Chromium to Chromium through a media worker, in network namespaces.

    python -m loadtests.media_loss --loss 5 --seconds 25 --runs 3

Needs root and nftables (``loadtests/laboratory.py``). The loss is there from the first packet, ICE and DTLS
included; measuring begins when both see the full picture. Prints a table, and one JSON line a run on stderr;
exit code 1 when the median of a direction missed a bar.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.async_api import Page, async_playwright

from loadtests.laboratory import Host, Laboratory, LaboratoryError
from loadtests.media_stage import Stage, browser, chromium

FREEZE_BAR, CONCEALED_BAR = 3.0, 1.5  # % of the time, of the samples
BEGIN_WITHIN_S = 60.0
PEOPLE = ("patient", "doctor")


async def run(loss: float, seconds: float, height: int, flags: list[str]) -> dict[str, Any]:
    """One call. What each of the two received, and what the worker did, between begin and end."""
    with Laboratory() as lab, tempfile.TemporaryDirectory(prefix="bedside-loss-") as folder:
        server = lab.host("server")
        hosts = [lab.host(person) for person in PEOPLE]
        for host in hosts:
            lab.lose(host, loss)
        with server.entered():
            return await _played(lab, server, hosts, Path(folder), seconds, height, flags)


async def _played(
    lab: Laboratory, server: Host, hosts: list[Host], folder: Path, seconds: float, height: int, flags: list[str]
) -> dict[str, Any]:
    first, second = (host.wrapper(chromium(), folder) for host in hosts)
    async with (
        Stage(folder, server.address) as stage,
        async_playwright() as playwright,
        browser(playwright.chromium, stage.url, path=first, flags=flags) as patient,
        browser(playwright.chromium, stage.url, path=second, flags=flags) as doctor,
    ):
        return await _call(lab, stage, (patient, doctor), seconds, height)


async def _call(lab: Laboratory, stage: Stage, pages: tuple[Page, Page], seconds: float, height: int) -> dict[str, Any]:
    people = list(zip(PEOPLE, pages, strict=True))
    size = {"width": height * 16 // 9, "height": height}
    for person, page in people:
        await page.evaluate("([person, size]) => { publish(person, size); subscribe(person); }", [person, size])
    async with asyncio.timeout(BEGIN_WITHIN_S):
        for person, page in people:
            while not await page.evaluate("(person) => people[person]?.subscribe !== undefined", person):
                await asyncio.sleep(0.1)
            while (await page.evaluate("received", person)).get("height") != height:
                await asyncio.sleep(0.1)
    before = {person: await page.evaluate("received", person) for person, page in people}
    dropped, worker = lab.dropped(), await _worker(stage)
    await asyncio.sleep(seconds)
    after = {person: await page.evaluate("received", person) for person, page in people}
    return {
        "received": {person: _difference(before[person], after[person]) for person in PEOPLE},
        "sent": {person: await page.evaluate("sent", person) for person, page in people},
        "worker": {
            person: {
                source: {name: value - worker[person][source][name] for name, value in numbers.items()}
                for source, numbers in tracks.items()
            }
            for person, tracks in (await _worker(stage)).items()
        },
        "dropped": lab.dropped() - dropped,
    }


async def _worker(stage: Stage) -> dict[str, dict[str, dict[str, int]]]:
    """By publisher and source: every counter of the track."""
    room = (await stage.ask("stats"))["rooms"][stage.room]
    return {
        person: {
            track["source"]: {
                name: value for name, value in track.items() if isinstance(value, int) and not isinstance(value, bool)
            }
            for track in stats["tracks"]
        }
        for person, stats in room.items()
    }


def _difference(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    seconds = after["at"] - before["at"]
    video, audio = (
        {
            name: value - before[kind].get(name, 0)
            for name, value in after[kind].items()
            if isinstance(value, int | float)
        }
        for kind in ("video", "audio")
    )
    silent, concealed = audio["silentConcealedSamples"], audio["concealedSamples"]
    return {
        "seconds": seconds,
        "frozen": 100 * video["totalFreezesDuration"] / seconds,
        "concealed": 100 * concealed / audio["totalSamplesReceived"],
        "concealed_heard": 100 * (concealed - silent) / audio["totalSamplesReceived"],
        "frames": video["framesDecoded"] / seconds,
        "kbps": video["bytesReceived"] * 8 / 1000 / seconds,
        "codec": after["audio"].get("codec"),
        "video": video,
        "audio": audio,
    }


def table(runs: list[dict[str, Any]]) -> tuple[str, bool]:
    """Markdown, a row for each run and receiver; and whether the medians of all rows keep the bars."""
    lines = [
        "| run | at | frozen % | freezes | frames/s | kbit/s | concealed % | of it heard % | video NACKs | video RTX | "
        "audio lost | worker: recovered video, audio | worker: resent video, audio |",
        "|" + " ---: |" * 13,
    ]
    rows = []
    for number, measured in enumerate(runs, 1):
        for person, other in zip(PEOPLE, reversed(PEOPLE), strict=True):
            got, worker = measured["received"][person], measured["worker"][other]
            rows.append(got)
            camera, microphone = worker["camera"], worker["microphone"]
            cells = [
                f"{number}",
                person,
                f"{got['frozen']:.2f}",
                f"{got['video']['freezeCount']}",
                f"{got['frames']:.1f}",
                f"{got['kbps']:.0f}",
                f"{got['concealed']:.2f}",
                f"{got['concealed_heard']:.2f}",
                f"{got['video']['nackCount']}",
                f"{got['video']['retransmittedPacketsReceived']}",
                f"{got['audio']['packetsLost']}",
                f"{camera.get('recovered', 0)}, {microphone.get('recovered', 0)}",
                f"{camera.get('resent', 0)}, {microphone.get('resent', 0)}",
            ]
            lines.append("| " + " | ".join(cells) + " |")
    frozen, concealed = (statistics.median(row[name] for row in rows) for name in ("frozen", "concealed"))
    lines += ["", f"Median: frozen {frozen:.2f} % of the time, concealed {concealed:.2f} % of the sound."]
    return "\n".join(lines), frozen <= FREEZE_BAR and concealed <= CONCEALED_BAR


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loss", type=float, default=5.0, help="%% of the packets, each leg and direction")
    parser.add_argument("--seconds", type=float, default=25.0, help="measured, of each run")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--height", type=int, default=720, help="of the published pictures")
    parser.add_argument("--flag", action="append", default=[], help="another switch for Chromium")
    chosen = parser.parse_args()
    runs = []
    try:
        for _ in range(chosen.runs):
            runs.append(asyncio.run(run(chosen.loss, chosen.seconds, chosen.height, chosen.flag)))
            print(json.dumps(runs[-1]), file=sys.stderr)
    except LaboratoryError as error:
        sys.exit(str(error))
    text, kept = table(runs)
    print(text)
    sys.exit(0 if kept else 1)


if __name__ == "__main__":
    main()
