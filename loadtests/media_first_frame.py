"""How long a newcomer waits for the first picture: Chromium subscribes again and again to a live publisher.

    python -m loadtests.media_first_frame --tries 50

Each try is a new person with a new peer connection: joining, ICE, DTLS, the key frame, decoding, until the first
frame is presented. Chromium makes no two key frames within 0.3 s: with ``--pause 0`` that is measured too.
Prints a table, and one JSON line on stderr; exit code 1 when a try missed the bar.
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

from playwright.async_api import async_playwright

from loadtests.media_stage import Stage, browser

BAR_MS = 600.0
FULL_WITHIN_S = 60.0


async def measure(tries: int, height: int, pause_s: float) -> dict[str, Any]:
    """Every try's times in ms from asking to join: offered, answered, connected, first; and the picture's height."""
    with tempfile.TemporaryDirectory(prefix="bedside-first-frame-") as folder:
        async with Stage(Path(folder)) as stage, async_playwright() as playwright:
            kind = playwright.chromium
            async with browser(kind, stage.url) as publisher, browser(kind, stage.url) as receiver:
                size = {"width": height * 16 // 9, "height": height}
                await publisher.evaluate("(size) => publish('publisher', size)", size)
                async with asyncio.timeout(FULL_WITHIN_S):
                    while (await publisher.evaluate("sent('publisher')"))["video"]["height"] != height:
                        await asyncio.sleep(0.2)
                found = []
                for number in range(tries):
                    found.append(await receiver.evaluate(f"firstFrame('newcomer-{number}')"))
                    await asyncio.sleep(pause_s)
                return {"tries": found, "publisher": await publisher.evaluate("sent('publisher')")}


def summary(found: list[dict[str, float]], height: int) -> dict[str, Any]:
    """Medians of the steps, and the first frame's distribution."""
    first = sorted(each["first"] for each in found)
    steps = {
        step: round(statistics.median(each[step] for each in found if step in each), 1)
        for step in ("offered", "answered", "connected")
    }
    return {
        "tries": len(first),
        **steps,
        "median": round(statistics.median(first), 1),
        "p90": round(first[int(len(first) * 0.9) - 1] if len(first) > 1 else first[0], 1),
        "max": round(first[-1], 1),
        "over_bar": sum(each > BAR_MS for each in first),
        "not_full_height": sum(each["height"] != height for each in found),
    }


def table(result: dict[str, Any]) -> str:
    """Markdown."""
    columns = {
        "tries": "tries",
        "offered": "offered",
        "answered": "answered",
        "connected": "connected",
        "median": "first frame, median",
        "p90": "90 %",
        "max": "max",
        "over_bar": f"over {BAR_MS:.0f} ms",
        "not_full_height": "not at full height",
    }
    return "\n".join(
        "| " + " | ".join(row) + " |"
        for row in (columns.values(), ["---:"] * len(columns), [str(result[name]) for name in columns])
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tries", type=int, default=50)
    parser.add_argument("--height", type=int, default=720, help="of the published picture")
    parser.add_argument("--pause", type=float, default=0.5, help="seconds between tries")
    chosen = parser.parse_args()
    measured = asyncio.run(measure(chosen.tries, chosen.height, chosen.pause))
    result = summary(measured["tries"], chosen.height)
    print(json.dumps({**result, **measured}), file=sys.stderr)
    print(table(result))
    sys.exit(1 if result["over_bar"] or result["not_full_height"] else 0)


if __name__ == "__main__":
    main()
