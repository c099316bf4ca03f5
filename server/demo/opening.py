"""When the demonstration starts: the clinic is filled the first time, and a visit is open every time."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, date, datetime
from pathlib import Path

import structlog

from core.context import Context
from core.settings import Settings
from server.demo.clinic import Clinic, Modules, is_there
from server.demo.clock import MovableClock
from server.demo.settled import Settled

log = structlog.get_logger("demonstration")

# A server whose facts are carried and handled, over this clock; what ``server`` is built from anyway.
OpenServer = Callable[[MovableClock], AbstractAsyncContextManager[tuple[Context, Modules]]]


async def fill_once(settings: Settings, open_server: OpenServer) -> None:
    """Fill the clinic unless that has been finished before. Safe to be killed in, and to be called again."""
    state = settings.data_dir / "demonstration.json"
    began, finished = _read(state)
    if finished:
        return
    started = datetime.now(UTC)
    clock = MovableClock()
    async with open_server(clock) as (context, modules):
        if began is None and await is_there(modules):
            return  # somebody else's data folder over the same database
        began = began or started.date()
        _write(state, began, finished=False)
        settled = Settled(context)
        await settled.begin()

        async def wait() -> bool:
            done = await settled.wait()
            if not done:
                log.warning("facts are not handled in time: the history may have gaps")
            return done

        await Clinic(modules, clock, began, wait).fill()
    _write(state, began, finished=True)
    log.info("the clinic is filled", seconds=round((datetime.now(UTC) - started).total_seconds(), 1))


def _read(state: Path) -> tuple[date | None, bool]:
    try:
        known = json.loads(state.read_text(encoding="utf-8"))
        return date.fromisoformat(known["began"]), bool(known["finished"])
    except (FileNotFoundError, ValueError, KeyError):
        return None, False


def _write(state: Path, began: date, *, finished: bool) -> None:
    """Whole or not at all: a torn file would start a second history."""
    state.parent.mkdir(parents=True, exist_ok=True)
    fresh = state.with_suffix(".new")
    fresh.write_text(json.dumps({"began": began.isoformat(), "finished": finished}), encoding="utf-8")
    fresh.replace(state)
