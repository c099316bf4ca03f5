"""Between clients and media workers: requests down, offers and news up, and moving on when a worker dies.

Nothing here decides who may: ``Calls.require_in_call`` has been asked before, and is asked again afterwards, so that
somebody removed in the meantime has no packet forwarded.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from redis.exceptions import RedisError

from core.rpc import RpcRefused, RpcUnavailable
from signaling.errors import MediaUnavailable, NotAdmitted, StaleGeneration
from signaling.media_client import MediaClients, WorkerKey
from signaling.presence import in_call
from signaling.quality import judge
from signaling.schemas import MediaAnswer, MediaMute, MediaPrefer, MediaPublish
from signaling.seats import Seat
from signaling.session import Sessions
from signaling.store import KEEP_S, Store, member, split
from signaling.workers import Room, Workers

log = logging.getLogger(__name__)

# Codes of a worker that a client can act on; any other becomes ``media_unavailable``.
CLIENT_CODES = frozenset({"invalid_sdp", "stale_negotiation", "invalid_input", "too_many_tracks", "not_found"})
# The worker does not know the person (any more): joining anew mends it.
UNKNOWN_CODES = frozenset({"not_joined", "unknown_participant", "unknown_room", "not_found"})
OWED_LEAVES = "live:media:leaves"  # set of visit|person whose leaving a worker has not heard yet
EVERYBODY = "everybody"  # in the person's place there: the whole room
MOVES_A_LOOK = 8  # rooms of a draining worker that one process moves in one look: not everybody at the same moment
EVIDENCE = ("packets_in", "bytes_in", "packets_out", "bytes_out")

Updated = Callable[[str, str], Awaitable[None]]
Measured = Callable[[str, dict[str, dict[str, Any]]], Awaitable[None]]


class MediaNegotiation:
    def __init__(self, store: Store, sessions: Sessions) -> None:
        self._store = store
        self._sessions = sessions
        self._workers: Workers
        self._clients: MediaClients
        self.on_stats: Measured  # given by the composition: the mode follows what is measured
        self.on_tracks: Updated  # given by the composition: others are told of a person's new tracks
        self._joined: dict[str, int] = {}  # visit|person → generation in which this process attached them

    def connect(self, workers: Workers, clients: MediaClients, on_tracks: Updated) -> None:
        self._workers = workers
        self._clients = clients
        self.on_tracks = on_tracks

    # Down

    async def joined(self, seat: Seat) -> int:
        """The person has a place in the call: their room's generation. Raises ``MediaUnavailable``."""
        room = await self._workers.settled(seat.appointment_id)
        await self._store.mark(seat.appointment_id, seat.participant_id, "generation", str(room.generation))
        await self._attach(room, seat.participant_id)
        return room.generation

    async def rejoined(self, seat: Seat) -> int:
        """A place taken again, by a page that was reloaded: both its connections begin anew, on either side."""
        room = await self._workers.settled(seat.appointment_id)
        payload = {"connection": "both", "generation": room.generation, "reason": "joined_again"}
        await self._sessions.tell(seat.appointment_id, seat.participant_id, "media.reset", payload)
        try:
            await self._call(room, "leave", {"participant": seat.participant_id})
        except RpcRefused:
            pass  # not there: nothing to end
        except RpcUnavailable:
            raise MediaUnavailable() from None
        self._joined.pop(seat.key, None)
        return await self.joined(seat)

    async def publish(self, seat: Seat, sent: MediaPublish) -> dict[str, Any]:
        room = await self._current(seat, sent.generation)
        params = {"sdp": sent.sdp, "tracks": [track.model_dump() for track in sent.tracks]}
        result = await self._ask(room, seat, "publish", params)
        tracks = [{"mid": each["mid"], "track_id": each["track_id"]} for each in result["tracks"]]
        return {"sdp": result["sdp"], "tracks": tracks}

    async def answer(self, seat: Seat, sent: MediaAnswer) -> None:
        room = await self._current(seat, sent.generation)
        await self._ask(room, seat, "answer", {"negotiation": sent.negotiation, "sdp": sent.sdp})

    async def restart(self, seat: Seat) -> None:
        await self._ask(await self._room(seat), seat, "restart", {})

    async def prefer(self, seat: Seat, sent: MediaPrefer) -> None:
        await self._ask(await self._room(seat), seat, "prefer", sent.model_dump(exclude_none=True))

    async def mute(self, seat: Seat, sent: MediaMute) -> None:
        await self._ask(await self._room(seat), seat, "mute", sent.model_dump())

    async def left(self, appointment_id: str, participant_id: str) -> None:
        """Out with their media. If the worker can't hear it now, the sweep says it again."""
        key = member(appointment_id, participant_id)
        self._joined.pop(key, None)
        await _wait(self._store.redis.sadd(OWED_LEAVES, key))
        await self._leave_now(appointment_id, participant_id)

    async def _leave_now(self, appointment_id: str, participant_id: str) -> None:
        room = await self._workers.room(appointment_id)
        for former, _ in await self._workers.former(appointment_id):
            await self._workers.tell_former(former, "leave", {"participant": participant_id})
        if await self._done(room, "leave", {"participant": participant_id}):
            await _wait(self._store.redis.srem(OWED_LEAVES, member(appointment_id, participant_id)))

    async def close(self, appointment_id: str) -> None:
        """The room is empty or ended; its worker forgets it. If it can't hear that now, the sweep says it again."""
        for key in [key for key in self._joined if split(key)[0] == appointment_id]:
            self._joined.pop(key, None)
        await _wait(self._store.redis.sadd(OWED_LEAVES, member(appointment_id, EVERYBODY)))
        await self._close_now(appointment_id)

    async def _close_now(self, appointment_id: str) -> None:
        room = await self._workers.room(appointment_id)
        for former, _ in await self._workers.former(appointment_id):
            await self._workers.tell_former(former, "close", {})
        if await self._done(room, "close", {}):
            await self._workers.release(appointment_id)
            await _wait(self._store.redis.srem(OWED_LEAVES, member(appointment_id, EVERYBODY)))

    async def _done(self, room: Room, method: str, params: dict[str, Any]) -> bool:
        """Tell a room's worker; True if it has heard, or is gone and the media with it."""
        if room.key is None:
            return True
        if room.key not in self._workers.alive:
            await self._workers.look()
            if room.key not in self._workers.alive:
                return True
        try:
            await self._call(room, method, params)
        except RpcRefused:
            return True  # it does not know them: as good as gone
        except RpcUnavailable:
            return False
        return True

    async def generation(self, appointment_id: str) -> int:
        """The room's present life; 0 before its first."""
        return (await self._workers.room(appointment_id)).generation

    async def evidence(self, appointment_id: str, participant_id: str) -> dict[str, Any]:
        """Counters of this stay, for the attendance record; they start anew with the next."""
        key = _evidence(appointment_id, participant_id)
        raw = await _wait(self._store.redis.getdel(key))
        found: dict[str, Any] = json.loads(raw) if raw else {}
        return found

    async def _room(self, seat: Seat) -> Room:
        """Where the person's media goes now. It may be this very request that moved it: then they hear of it."""
        room = await self._workers.settled(seat.appointment_id)
        if self._joined.get(seat.key) != room.generation:
            await self._told_to_move(seat, room)
        return room

    async def _current(self, seat: Seat, generation: int) -> Room:
        room = await self._room(seat)
        if generation != room.generation:
            raise StaleGeneration(generation=room.generation)
        return room

    async def _ask(self, room: Room, seat: Seat, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """One request for a person who is in the call. Raises what a client can act on."""
        await self._attach(room, seat.participant_id)
        whole = {"participant": seat.participant_id, **params}
        try:
            try:
                result = await self._call(room, method, whole)
            except RpcRefused as refused:
                if refused.code not in UNKNOWN_CODES or method == "prefer":
                    raise
                self._joined.pop(member(seat.appointment_id, seat.participant_id), None)
                await self._attach(room, seat.participant_id)
                result = await self._call(room, method, whole)
        except RpcRefused as refused:
            if refused.code in CLIENT_CODES:
                raise
            log.warning("media_refused", extra={"method": method, "code": refused.code})
            raise MediaUnavailable() from None
        except RpcUnavailable:
            raise MediaUnavailable() from None
        person = await self._store.person(seat.appointment_id, seat.participant_id)
        if person is None or person.state != "in-call":
            await self.left(seat.appointment_id, seat.participant_id)
            raise NotAdmitted()
        return result

    async def _attach(self, room: Room, participant_id: str) -> None:
        """Make sure that the worker knows the person and tells this process what concerns them."""
        key = member(room.appointment_id, participant_id)
        if self._joined.get(key) == room.generation and room.key is not None and self._clients.connected(room.key):
            return
        try:
            try:
                await self._call(room, "attach", {"participant": participant_id})
            except RpcRefused as refused:
                if refused.code not in UNKNOWN_CODES:
                    raise
                await self._call(room, "join", {"participant": participant_id})
        except RpcRefused as refused:
            log.warning("media_join_refused", extra={"code": refused.code})
            raise MediaUnavailable() from None
        except RpcUnavailable:
            raise MediaUnavailable() from None
        self._joined[key] = room.generation
        await _wait(self._store.redis.srem(OWED_LEAVES, key))

    async def _call(self, room: Room, method: str, params: dict[str, Any]) -> dict[str, Any]:
        if room.key is None:
            raise RpcUnavailable("The room is on no worker")
        whole = {"room": room.appointment_id, **params}
        return await self._clients.call(room.key, room.host, room.port, method, whole)

    # Up

    async def event(self, key: WorkerKey, name: str, params: dict[str, Any]) -> None:
        """What a worker tells, in its order."""
        appointment_id = str(params.get("room", ""))
        if not appointment_id:
            return
        room = await self._workers.room(appointment_id)
        if name in ("speakers", "stats"):
            if room.key == key:
                await self._ephemeral(appointment_id, name, params)
            return
        participant_id = str(params.get("participant", ""))
        person = await self._store.person(appointment_id, participant_id)
        if room.key != key or person is None or person.state != "in-call":
            return  # of an earlier life of the room, or about somebody who has just left
        if name == "offer":
            payload = {
                "generation": room.generation,
                "negotiation": params["negotiation"],
                "sdp": params["sdp"],
                "tracks": params["tracks"],
            }
            # The outstanding offer is told again whenever a connection moves; the log has it already.
            digest = hashlib.sha256(str(params["sdp"]).encode()).hexdigest()[:16]
            once = ("offer", f"{room.generation}:{digest}")
            await self._sessions.tell(appointment_id, participant_id, "media.offer", payload, once=once)
        elif name == "tracks":
            tracks = [
                {"track_id": each["track_id"], "source": each["source"], "muted": bool(each.get("muted"))}
                for each in params["tracks"]
            ]
            await self._store.set_person(appointment_id, participant_id, tracks=json.dumps(tracks))
            await self.on_tracks(appointment_id, participant_id)
        elif name == "wanted":
            wanted = [
                {"source": each["source"], "wanted": bool(each["wanted"]), "rids": [str(rid) for rid in each["rids"]]}
                for each in params["tracks"]
            ]
            payload = {"generation": room.generation, "tracks": wanted}
            await self._sessions.tell(appointment_id, participant_id, "media.wanted", payload)
        elif name == "connection" and params.get("state") == "failed":
            log.info("media_connection_failed", extra={"connection": params.get("connection")})

    async def _ephemeral(self, appointment_id: str, name: str, params: dict[str, Any]) -> None:
        """What matters only now: told to this process' own connections, and only when it changed."""
        seats = [
            seat
            for seat in list(self._sessions.by_sid.values())
            if seat.appointment_id == appointment_id and seat.holds and seat.live
        ]
        if name == "stats":
            await self.on_stats(appointment_id, params.get("participants") or {})
            people: dict[str, dict[str, Any]] = params.get("participants") or {}
            judged = {participant_id: judge(stats) for participant_id, stats in people.items()}
            for seat in seats:
                await self._keep_evidence(seat, people.get(seat.participant_id))
                if seat.quality != judged:
                    seat.quality = dict(judged)
                    payload: dict[str, Any] = {
                        "participants": [
                            {"participant_id": each, "quality": quality, "reason": reason}
                            for each, (quality, reason) in judged.items()
                        ]
                    }
                    await self._sessions.tell(appointment_id, seat.participant_id, "call.quality", payload)
            return
        speakers = [str(each) for each in params.get("participants") or []]
        for seat in seats:
            if seat.speakers != speakers:
                seat.speakers = speakers
                news = {"participant_ids": speakers}
                await self._sessions.tell(appointment_id, seat.participant_id, "call.speakers", news)

    async def _keep_evidence(self, seat: Seat, stats: dict[str, Any] | None) -> None:
        if stats is None:
            return
        counters = {name: stats[name] for name in EVIDENCE if isinstance(stats.get(name), (int, float))}
        key = _evidence(seat.appointment_id, seat.participant_id)
        await self._store.redis.set(key, json.dumps(counters), ex=KEEP_S)

    # Moving on

    async def returned(self, seat: Seat) -> None:
        """A seat has a connection again: its media events come here, and it hears of a room that moved meanwhile."""
        person = await self._store.person(seat.appointment_id, seat.participant_id)
        if person is None or person.state != "in-call":
            return
        if seat.lost_events:
            seat.lost_events = False
            await self._store.mark(seat.appointment_id, seat.participant_id, "offer", "")
        try:
            room = await self._workers.settled(seat.appointment_id)
            if not await self._told_to_move(seat, room):
                self._joined.pop(seat.key, None)
                await self._attach(room, seat.participant_id)
        except MediaUnavailable:
            return  # the watch goes on looking for a worker

    async def watch(self) -> None:
        """Look at the workers; wherever one is gone, move its rooms and tell who sits in them. Never ends by itself."""
        while True:
            try:
                async with asyncio.timeout(0.5):
                    await self._workers.suspected.wait()
            except TimeoutError:
                pass
            self._workers.suspected.clear()
            try:
                await self._workers.look()
                await self._move_on()
            except RedisError:
                continue  # Redis is away: media goes on as it is, and nobody is moved on a guess
            except Exception:
                log.exception("media_watch_failed")

    async def _move_on(self) -> None:
        moves = MOVES_A_LOOK
        visits = {seat.appointment_id for seat in self._sessions.by_sid.values() if seat.holds and seat.live}
        for appointment_id in visits:
            room = await self._workers.room(appointment_id)
            worker = None if room.key is None else self._workers.alive.get(room.key)
            if worker is not None and not worker.draining and self._all_attached(room):
                continue
            people = in_call(await self._store.people(appointment_id))
            if not people:
                continue
            try:
                room = await self._workers.settled(appointment_id)
                worker = None if room.key is None else self._workers.alive.get(room.key)
                if worker is not None and worker.draining and moves:
                    moves -= 1
                    room = await self._workers.moved_on(room)
            except MediaUnavailable:
                continue
            for person in people:
                for seat in self._sessions.local(appointment_id, person.participant_id):
                    try:
                        if not await self._told_to_move(seat, room):
                            await self._attach(room, seat.participant_id)
                    except MediaUnavailable:
                        continue  # the next look tries again

    def _all_attached(self, room: Room) -> bool:
        """Every person whose events this process forwards is attached over a channel that still stands."""
        mine = [generation for key, generation in self._joined.items() if split(key)[0] == room.appointment_id]
        if not mine:
            return True
        connected = room.key is not None and self._clients.connected(room.key)
        return connected and all(generation == room.generation for generation in mine)

    async def _told_to_move(self, seat: Seat, room: Room) -> bool:
        """``media.reset`` if the room has had another life since this person was last told; True if it was sent."""
        told = await self._sessions.tell(
            seat.appointment_id,
            seat.participant_id,
            "media.reset",
            {
                "connection": "both",
                "generation": room.generation,
                "reason": "drain" if room.reason == "drain" else "worker_lost",
            },
            once=("generation", str(room.generation)),
        )
        if told:
            await self._store.set_person(seat.appointment_id, seat.participant_id, tracks="[]")
            await self._attach(room, seat.participant_id)
        return told

    async def sweep(self) -> None:
        """Say again to workers who has left; close rooms where they were before."""
        await self._workers.close_former()
        for raw in await _wait(self._store.redis.smembers(OWED_LEAVES)):
            appointment_id, participant_id = split(raw)
            if participant_id == EVERYBODY:
                visit = await self._store.visit(appointment_id)
                reopened = visit is not None and visit.call == "open"
            else:
                person = await self._store.person(appointment_id, participant_id)
                reopened = person is not None and person.state == "in-call"
            if reopened:
                await _wait(self._store.redis.srem(OWED_LEAVES, raw))
            elif participant_id == EVERYBODY:
                await self._close_now(appointment_id)
            else:
                await self._leave_now(appointment_id, participant_id)

    def forget(self, seat: Seat) -> None:
        """The connection is gone: another process may serve this person next."""
        if not self._sessions.local(seat.appointment_id, seat.participant_id):
            self._joined.pop(seat.key, None)


def _evidence(appointment_id: str, participant_id: str) -> str:
    return f"visit:{appointment_id}:evidence:{participant_id}"


async def _wait(answer: Any) -> Any:
    return await answer
