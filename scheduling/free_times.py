"""Timetables out of Redis: what is busy with a practitioner is read once, and again only after a change.

Each practitioner has a *mark* in Redis. A snapshot (schedule and busy times) carries the mark under which it was
read, and counts only while the mark is the same. A change sets the mark aside before it commits (``doubt``), so that
nobody relies on a snapshot then, and sets a new one right after (``changed``). Should the process die in between,
the doubt runs out and with it the mark. With Redis away everything is read from the database.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import struct
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from core.clock import Clock
from core.database import Database
from core.gathering import Gathering
from core.kept_redis import KeptRedis
from scheduling.availability import Schedule, Slot
from scheduling.models import Busy, StoredSchedule
from scheduling.time_repository import TimeRepository, schedule_content, schedule_of
from scheduling.timetable import DayGrids, Timetable

log = structlog.get_logger(__name__)

# Longer than any statement may run.
DOUBT_MS = 35_000
MARK_S = 24 * 3600
SNAPSHOT_S = 24 * 3600
LOCAL = 5_000
RETRY_S = 0.2
# Redis that does not answer within this is passed by: reading the database takes about as long.
PATIENCE_S = 0.25
# After a failure Redis is left alone for a moment, so that not every search waits for it.
PAUSE_S = 1.0
_DOUBT = b"?"
_SET_ALL = "for at, key in ipairs(KEYS) do redis.call('SET', key, ARGV[2 * at - 1], 'PX', ARGV[2 * at]) end"
_AWAY = (RedisError, OSError, TimeoutError)
_FAR = timedelta(days=735)


@dataclass(frozen=True, slots=True)
class _Known:
    mark: bytes
    timetable: Timetable | None  # None: the practitioner has no schedule
    lapses_at: datetime | None  # when the first hold or offer in it runs out
    read_on: datetime


class FreeTimes:
    def __init__(self, database: Database, times: TimeRepository, clock: Clock, redis: Redis) -> None:
        self._database = database
        self._times = times
        self._clock = clock
        self._redis = redis
        self._known: OrderedDict[UUID, _Known] = OrderedDict()
        self._grids: OrderedDict[UUID, tuple[int, DayGrids]] = OrderedDict()
        self._writing: dict[UUID, tuple[bytes, int]] = {}
        self._written: asyncio.Future[None] | None = None
        self._one_write = asyncio.Lock()
        self._kept = KeptRedis(redis)
        self._schedules = Gathering(self._read_schedules, every_s=0, at_once=2)
        self._unsure: set[UUID] = set()
        self._mending: asyncio.Task[None] | None = None
        self._quiet_until = float("-inf")

    # Reading

    async def of(self, ids: Sequence[UUID]) -> dict[UUID, Timetable]:
        """The timetable of each practitioner who has a schedule."""
        if not ids:
            return {}
        now = self._clock.now()
        marks = await self._marks(ids)
        found: dict[UUID, _Known] = {}
        for each in ids:
            known = self._known.get(each)
            if known is not None and _stands(known, marks.get(each), now):
                found[each] = known
        missing = [each for each in ids if each not in found]
        if missing:
            found |= await self._snapshots([each for each in missing if each in marks], marks, now)
            missing = [each for each in missing if each not in found]
        if missing:
            found |= await self._read(missing, marks, now)
        return {each: known.timetable for each, known in found.items() if known.timetable is not None}

    async def schedule(self, practitioner_id: UUID, *, fresh: bool = False) -> StoredSchedule | None:
        """The schedule as last seen by this process, or as it is now. What relies on it checks its version."""
        cut = self._grids.get(practitioner_id)
        if cut is not None and not fresh:
            return StoredSchedule(practitioner_id, cut[1].schedule, cut[0])
        return await self._schedules.ask(practitioner_id)

    def offered(self, stored: StoredSchedule, start: datetime, now: datetime) -> Slot | None:
        """As ``availability.offered``, from days that are cut already."""
        return self._cut(stored.practitioner_id, stored.version, stored.schedule)[1].offered(start, now)

    # Changing

    @asynccontextmanager
    async def changing(self, *ids: UUID) -> AsyncIterator[None]:
        """Around a transaction that changes these practitioners' times or schedules."""
        await self.doubt(*ids)
        try:
            yield
        finally:
            # Also after a failure: an error may hide a commit.
            await self.changed(*ids)

    async def doubt(self, *ids: UUID) -> None:
        """Before a transaction that will call ``changed`` once it has committed."""
        await self._write({each: (_DOUBT + secrets.token_bytes(8), DOUBT_MS) for each in ids})

    async def changed(self, *ids: UUID) -> None:
        """Snapshots of these practitioners count no more."""
        await self._write({each: (secrets.token_bytes(8), MARK_S * 1000) for each in ids}, must=True)

    async def stop(self) -> None:
        if self._mending is not None:
            self._mending.cancel()
            await asyncio.gather(self._mending, return_exceptions=True)
        await self._kept.hang_up()

    # Parts

    async def _read_schedules(self, ids: Sequence[UUID]) -> Sequence[StoredSchedule | None]:
        async with self._database.reading() as tx:
            found = await self._times.schedules(tx, list(dict.fromkeys(ids)))
        for each, stored in found.items():
            self._cut(each, stored.version, stored.schedule)
        return [found.get(each) for each in ids]

    async def _marks(self, ids: Sequence[UUID]) -> dict[UUID, bytes]:
        """Marks that can be relied upon; a practitioner without one gets one."""
        if self._loop_time() < self._quiet_until:
            return {}
        try:
            async with asyncio.timeout(PATIENCE_S):
                values: list[Any] = await self._redis.mget([_mark_key(each) for each in ids])
                marks: dict[UUID, Any] = dict(zip(ids, values, strict=True))
                unmarked = [each for each in ids if marks[each] is None]
                if unmarked:
                    async with self._redis.pipeline(transaction=False) as pipe:
                        for each in unmarked:
                            pipe.set(_mark_key(each), secrets.token_bytes(8), ex=MARK_S, nx=True)
                            pipe.get(_mark_key(each))
                        answers = await pipe.execute()
                    marks.update(zip(unmarked, answers[1::2], strict=True))
        except _AWAY as error:
            self._away(error)
            return {}
        return {
            each: mark
            for each, mark in marks.items()
            if mark is not None and not mark.startswith(_DOUBT) and each not in self._unsure
        }

    async def _snapshots(self, ids: Sequence[UUID], marks: Mapping[UUID, bytes], now: datetime) -> dict[UUID, _Known]:
        """What another process has read under the present marks."""
        if not ids:
            return {}
        try:
            async with asyncio.timeout(PATIENCE_S):
                values: list[Any] = await self._redis.mget([_snapshot_key(each) for each in ids])
        except _AWAY as error:
            self._away(error)
            return {}
        found: dict[UUID, _Known] = {}
        for each, value in zip(ids, values, strict=True):
            if value is None or value[:8] != marks[each]:
                continue
            header, busy = _decode(value[8:])
            known = self._assemble(each, marks[each], header, busy)
            if _stands(known, marks[each], now):
                self._remember(each, known)
                found[each] = known
        return found

    async def _read(self, ids: Sequence[UUID], marks: Mapping[UUID, bytes], now: datetime) -> dict[UUID, _Known]:
        """From the database; kept under the marks that were there before."""
        async with self._database.reading() as tx:
            schedules = await self._times.schedules(tx, ids)
            busy = await self._times.busy(tx, list(schedules), now - timedelta(days=1), now + _FAR, now)
        found: dict[UUID, _Known] = {}
        fresh: dict[str, bytes] = {}
        for each in ids:
            stored = schedules.get(each)
            header: dict[str, Any] = {"read": now.timestamp(), "schedule": None}
            if stored is not None:
                header |= {"version": stored.version, "schedule": schedule_content(stored.schedule)}
                self._cut(each, stored.version, stored.schedule)
            known = self._assemble(each, marks.get(each, b""), header, busy.get(each, []))
            found[each] = known
            if each in marks:
                self._remember(each, known)
                fresh[_snapshot_key(each)] = marks[each] + _encode(header, busy.get(each, []))
        if fresh:
            try:
                async with asyncio.timeout(PATIENCE_S), self._redis.pipeline(transaction=False) as pipe:
                    for key, value in fresh.items():
                        pipe.set(key, value, ex=SNAPSHOT_S)
                    await pipe.execute()
            except _AWAY as error:
                self._away(error)
        return found

    def _assemble(self, each: UUID, mark: bytes, header: Mapping[str, Any], busy: Sequence[Busy]) -> _Known:
        timetable = None
        if header["schedule"] is not None:
            cut = self._grids.get(each)
            if cut is None or cut[0] != header["version"]:
                cut = self._cut(each, header["version"], schedule_of(header["schedule"]))
            timetable = Timetable(cut[1], busy)
        lapses = min((one.until for one in busy if one.until is not None), default=None)
        return _Known(mark, timetable, lapses, datetime.fromtimestamp(header["read"], UTC))

    def _cut(self, each: UUID, version: int, schedule: Schedule) -> tuple[int, DayGrids]:
        known = self._grids.get(each)
        if known is None or known[0] != version:
            known = self._grids[each] = (version, DayGrids(schedule))
            while len(self._grids) > LOCAL:
                self._grids.popitem(last=False)
        return known

    def _remember(self, each: UUID, known: _Known) -> None:
        self._known[each] = known
        while len(self._known) > LOCAL:
            self._known.popitem(last=False)

    async def _write(self, marks: Mapping[UUID, tuple[bytes, int]], *, must: bool = False) -> None:
        """Set marks (value, milliseconds). What several callers write at once goes out together."""
        if must:
            self._unsure.update(marks)
        elif self._loop_time() < self._quiet_until:
            return
        for each, mark in marks.items():
            # A doubt that is still to be written stands: whoever raised it will have the last word.
            if each not in self._writing or not self._writing[each][0].startswith(_DOUBT):
                self._writing[each] = mark
        if self._written is None:
            self._written = asyncio.ensure_future(self._flush())
        await asyncio.shield(self._written)

    async def _flush(self) -> None:
        # Others join: those of this turn of the loop, and those who come while earlier marks are on their way.
        await asyncio.sleep(0)
        async with self._one_write:
            marks, self._writing, self._written = self._writing, {}, None
            command: list[str | int | bytes] = ["EVAL", _SET_ALL, len(marks), *(_mark_key(each) for each in marks)]
            for value, milliseconds in marks.values():
                command += (value, milliseconds)
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await self._kept.ask(*command)
            except _AWAY as error:
                self._away(error)
                if self._mending is None or self._mending.done():
                    self._mending = asyncio.create_task(self._mend(), name="marks of free times")
                return
        self._unsure.difference_update(each for each, (value, _) in marks.items() if not value.startswith(_DOUBT))

    async def _mend(self) -> None:
        """Redis was away when something changed: until the marks are set, this process relies on none of them."""
        while self._unsure:
            await asyncio.sleep(RETRY_S)
            wanted = list(self._unsure)
            try:
                async with asyncio.timeout(PATIENCE_S * 4), self._redis.pipeline(transaction=False) as pipe:
                    for each in wanted:
                        pipe.set(_mark_key(each), secrets.token_bytes(8), ex=MARK_S)
                    await pipe.execute()
            except _AWAY:
                continue
            self._unsure.difference_update(wanted)

    def _away(self, error: BaseException) -> None:
        if self._loop_time() >= self._quiet_until:
            log.warning("free times are read without Redis", error=type(error).__name__)
        self._quiet_until = self._loop_time() + PAUSE_S

    @staticmethod
    def _loop_time() -> float:
        return asyncio.get_running_loop().time()


def _stands(known: _Known, mark: bytes | None, now: datetime) -> bool:
    """Under the present mark, nothing in it has lapsed, and not older than a day (busy times are read to a horizon)."""
    if mark is None or known.mark != mark or now - known.read_on > timedelta(days=1):
        return False
    return known.lapses_at is None or now < known.lapses_at


_SPAN = struct.Struct("<qqq")


def _encode(header: Mapping[str, Any], busy: Sequence[Busy]) -> bytes:
    head = json.dumps(header, separators=(",", ":")).encode()
    spans = b"".join(
        _SPAN.pack(_micros(each.start), _micros(each.end), _micros(each.until) if each.until else 0) for each in busy
    )
    return struct.pack("<I", len(head)) + head + spans


def _decode(value: bytes) -> tuple[dict[str, Any], list[Busy]]:
    (length,) = struct.unpack_from("<I", value)
    header = json.loads(value[4 : 4 + length])
    busy = [
        Busy(_moment(start), _moment(end), _moment(until) if until else None)
        for start, end, until in _SPAN.iter_unpack(value[4 + length :])
    ]
    return header, busy


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _moment(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _mark_key(practitioner_id: UUID) -> str:
    return f"scheduling:mark:{practitioner_id}"


def _snapshot_key(practitioner_id: UUID) -> str:
    return f"scheduling:free:{practitioner_id}"
