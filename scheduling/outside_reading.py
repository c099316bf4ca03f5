"""From the address of an outside calendar to busy times. Its two dangerous halves, fetching and parsing, are others."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from core.outside import Fetched, Outside
from scheduling import busy_reader
from scheduling.availability import Interval

PARSE_SECONDS = 30.0  # of wall time; the program bounds its processor time itself
MOST_INTERVALS = 5000

_PROGRAM = str(Path(busy_reader.__file__))


class NoCalendar(Exception):
    """The content can't be used. ``problem`` is ``not_a_calendar`` or ``too_complex``."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


class OutsideReading:
    def __init__(self, outside: Outside) -> None:
        self._outside = outside

    async def fetch(self, address: str, etag: str | None, modified: str | None) -> Fetched:
        """Raises OutsideError."""
        return await self._outside.get(address, etag=etag, modified=modified)

    async def unfold(self, content: bytes, zone: str, since: datetime, until: datetime) -> list[Interval]:
        """Busy times within the window, by a process of its own. Raises NoCalendar."""
        window = (str(int(since.timestamp())), str(int(until.timestamp())))
        # Isolated: no environment of ours, nothing beside the script on its path.
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", _PROGRAM, zone, *window),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={},
        )
        try:
            async with asyncio.timeout(PARSE_SECONDS):
                answer, _ = await process.communicate(content)
        except TimeoutError:
            raise NoCalendar("too_complex") from None
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if process.returncode != 0:
            known = process.returncode == busy_reader.NOT_A_CALENDAR
            raise NoCalendar("not_a_calendar" if known else "too_complex")
        spans = json.loads(answer)
        if len(spans) > MOST_INTERVALS:
            raise NoCalendar("too_complex")
        return [Interval(datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC)) for start, end in spans]
