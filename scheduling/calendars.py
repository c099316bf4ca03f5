"""Use cases of calendars: a person's private feed, and calendars elsewhere that say when a practitioner is busy.

A feed's address holds its token, because calendar programs can't sign in: whoever has the address reads times, and
nothing else. It is shown once and only its digest is kept.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from core import ics
from core.clock import Clock
from core.database import Database, Transaction
from core.errors import InvalidInput, NotFound
from core.ids import uuid7
from core.outside import Fetched, OutsideError, Reach, parse_address
from core.security.policy import Policy, Relation
from core.security.principal import Principal
from core.security.vault import KeyDestroyed, Vault
from scheduling.calendar_repository import CalendarRepository, Feed, OutsideCalendar
from scheduling.errors import TooManyCalendars
from scheduling.free_times import FreeTimes
from scheduling.outside_reading import NoCalendar, OutsideReading
from scheduling.time_repository import TimeRepository

log = structlog.get_logger(__name__)

FEED_PAST = timedelta(days=30)
FEED_MOST = 1000
FEED_REFRESH = timedelta(minutes=15)
READ_NOTED_EVERY = timedelta(minutes=10)
# Calendars show these to whoever looks over a shoulder: they say neither with whom nor why.
TITLES = {"en": "Video visit", "fr": "Visite vidéo"}

MOST_CALENDARS = 5  # of one practitioner
READ_EVERY = timedelta(minutes=15)
LONGEST_RETRY = timedelta(hours=6)
WHOLE_EVERY = timedelta(days=1)  # repeating entries reach further every day, though the file stays the same
LEASE = timedelta(minutes=5)  # a reader that has not answered by then has died
BATCH = 4
MARGIN_DAYS = 30  # how much further than bookings reach is read


@dataclass(frozen=True, slots=True)
class OutsideView:
    """An outside calendar as its practitioner sees it. ``host`` stands for the address, which is a secret."""

    calendar: OutsideCalendar
    host: str


class Calendars:
    def __init__(
        self,
        database: Database,
        repository: CalendarRepository,
        times: TimeRepository,
        free_times: FreeTimes,
        clock: Clock,
        policy: Policy,
        vault: Vault,
        reading: OutsideReading,
        reach: Reach,
        public_url: str,
    ) -> None:
        self._database = database
        self._repository = repository
        self._times = times
        self._free_times = free_times
        self._clock = clock
        self._policy = policy
        self._vault = vault
        self._reading = reading
        self._reach = reach
        self._public_url = public_url

    # The private feed

    async def make_feed(self, principal: Principal, language: str) -> tuple[Feed, str]:
        """A new feed of one's own, and its token: never to be seen again. A feed made before ends."""
        self._policy.require(principal, "calendar.feed")
        token = secrets.token_urlsafe(32)
        feed = Feed(principal.id, language, self._clock.now(), None)
        async with self._database.transaction() as tx:
            await self._repository.save_feed(tx, feed, _digest(token))
            await _audit(tx, principal, "calendar_feed.made", principal.id)
        return feed, token

    async def feed(self, principal: Principal) -> Feed | None:
        self._policy.require(principal, "calendar.feed")
        async with self._database.reading() as tx:
            return await self._repository.feed(tx, principal.id)

    async def end_feed(self, principal: Principal) -> None:
        """Its address answers nothing from now on. Raises NotFound."""
        self._policy.require(principal, "calendar.feed")
        async with self._database.transaction() as tx:
            if not await self._repository.remove_feed(tx, principal.id):
                raise NotFound("There is no feed")
            await _audit(tx, principal, "calendar_feed.ended", principal.id)

    async def read_feed(self, token: str) -> bytes:
        """The feed as iCalendar text, the same bytes while nothing changes. Raises NotFound."""
        now = self._clock.now()
        async with self._database.transaction() as tx:
            feed = await self._repository.feed_of_token(tx, _digest(token))
            if feed is None:
                raise NotFound()
            if feed.read_at is None or feed.read_at < now - READ_NOTED_EVERY:
                await self._repository.feed_was_read(tx, feed.person_id, now)
            visits = await self._repository.feed_visits(tx, feed.person_id, now - FEED_PAST, FEED_MOST)
        title = TITLES[feed.language]
        entries = (
            ics.Entry(
                id=each.id,
                start=each.start,
                end=each.end,
                title=title,
                link=f"{self._public_url}/visits/{each.id}",
                sequence=each.version,
                changed_at=each.changed_at,
            )
            for each in visits
        )
        return ics.feed(entries, name="Bedside", refresh=FEED_REFRESH)

    # Calendars elsewhere

    async def add(self, principal: Principal, practitioner_id: UUID, name: str, address: str) -> OutsideView:
        """Read busy times from this address from now on. Raises Forbidden, InvalidInput, TooManyCalendars."""
        self._policy.require(principal, "calendar.outside", _relations(principal, practitioner_id))
        try:
            parse_address(address, self._reach)
        except OutsideError:
            raise InvalidInput.of("address", "An address of a calendar begins with https:// or webcal://") from None
        made_id, now = uuid7(), self._clock.now()
        sealed = await self._vault.encrypt_text(practitioner_id, _place(made_id), address.strip())
        made = OutsideCalendar(made_id, practitioner_id, name, sealed, now, None, None, None, None, None, 0)
        async with self._database.transaction() as tx:
            if not await self._repository.add(tx, made, MOST_CALENDARS):
                raise TooManyCalendars()
            await _audit(tx, principal, "outside_calendar.added", made_id)
        return await self._view(made)

    async def list_of(self, principal: Principal, practitioner_id: UUID) -> list[OutsideView]:
        self._policy.require(principal, "calendar.outside", _relations(principal, practitioner_id))
        async with self._database.reading() as tx:
            found = await self._repository.of_practitioner(tx, practitioner_id)
        return [await self._view(each) for each in found]

    async def remove(self, principal: Principal, practitioner_id: UUID, calendar_id: UUID) -> None:
        """Its busy times are free again at once. Raises NotFound."""
        self._policy.require(principal, "calendar.outside", _relations(principal, practitioner_id))
        async with self._free_times.changing(practitioner_id), self._database.transaction() as tx:
            if not await self._repository.remove(tx, practitioner_id, calendar_id):
                raise NotFound()
            await _audit(tx, principal, "outside_calendar.removed", calendar_id)

    async def read_soon(self, principal: Principal, practitioner_id: UUID, calendar_id: UUID) -> None:
        """Read it at the next turn, whatever it said before. Raises NotFound."""
        self._policy.require(principal, "calendar.outside", _relations(principal, practitioner_id))
        async with self._database.transaction() as tx:
            if not await self._repository.read_soon(tx, practitioner_id, calendar_id, self._clock.now()):
                raise NotFound()

    async def read_due(self) -> int:
        """Read the calendars that are due; how many there were. What fails keeps its last known times."""
        now = self._clock.now()
        async with self._database.transaction() as tx:
            due = await self._repository.take_due(tx, now, now + LEASE, BATCH)
        await asyncio.gather(*(self._read(each) for each in due))
        return len(due)

    async def _read(self, each: OutsideCalendar) -> None:
        try:
            await self._fetch(each)
        except (OutsideError, NoCalendar, KeyDestroyed) as error:
            problem = "erased" if isinstance(error, KeyDestroyed) else error.problem
            log.info("outside calendar not read", calendar_id=str(each.id), problem=problem)
            delay = min(READ_EVERY * 2 ** min(each.failures, 10), LONGEST_RETRY)
            async with self._database.transaction() as tx:
                await self._repository.was_not_read(tx, each.id, self._clock.now() + delay, problem)

    async def _fetch(self, each: OutsideCalendar) -> None:
        now = self._clock.now()
        address = await self._vault.decrypt_text(each.practitioner_id, _place(each.id), each.address)
        fresh = each.unfolded_at is not None and each.unfolded_at > now - WHOLE_EVERY
        fetched = await self._reading.fetch(address, each.etag if fresh else None, each.modified if fresh else None)
        busy = None
        if fetched.body is not None:
            async with self._database.reading() as tx:
                stored = await self._times.schedule(tx, each.practitioner_id)
            zone, days = (stored.schedule.time_zone, stored.schedule.horizon_days) if stored else ("UTC", 90)
            until = now + timedelta(days=days + MARGIN_DAYS)
            busy = await self._reading.unfold(fetched.body, zone, now - timedelta(days=1), until)
        if busy is not None:
            async with self._free_times.changing(each.practitioner_id), self._database.transaction() as tx:
                if not await self._repository.replace_busy(tx, each, busy):
                    return  # removed meanwhile
                await self._note(tx, each, fetched, now, unfolded=True)
        else:
            async with self._database.transaction() as tx:
                await self._note(tx, each, fetched, now, unfolded=False)

    async def _note(
        self, tx: Transaction, each: OutsideCalendar, fetched: Fetched, now: datetime, *, unfolded: bool
    ) -> None:
        await self._repository.was_read(
            tx,
            each.id,
            now,
            _next(now),
            unfolded=unfolded,
            etag=fetched.etag or each.etag,
            modified=fetched.modified or each.modified,
        )

    async def _view(self, each: OutsideCalendar) -> OutsideView:
        try:
            address = await self._vault.decrypt_text(each.practitioner_id, _place(each.id), each.address)
            return OutsideView(each, parse_address(address, self._reach).host or "")
        except (KeyDestroyed, OutsideError):
            return OutsideView(each, "")


def _next(now: datetime) -> datetime:
    """Spread a little, so that calendars added together are not read together for ever."""
    return now + READ_EVERY + timedelta(seconds=random.uniform(0, 60))  # noqa: S311 - no secret hangs on it


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _place(calendar_id: UUID) -> str:
    return f"outside_calendar/{calendar_id}/address"


def _relations(principal: Principal, practitioner_id: UUID) -> list[Relation]:
    return ["own"] if principal.person_id == practitioner_id else []


async def _audit(tx: Transaction, principal: Principal, action: str, resource_id: UUID) -> None:
    await tx.audit(
        action,
        actor_id=principal.person_id,
        actor_role=principal.role,
        resource="calendar",
        resource_id=resource_id,
    )
