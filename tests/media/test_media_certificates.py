"""The worker's certificate changes with time, never under a connection; another person's never gets in."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from loadtests.peer import stay_on_loopback
from media import sdp
from tests.media.stage import Stage

DAY_S = 86_400.0


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stay_on_loopback()
    async with AsyncExitStack() as stack:
        made = Stage(stack)
        yield made
        await made.close()


def fingerprint(text: str) -> str:
    (found,) = {value for _, value in sdp.parse(text).fingerprints}
    return found


async def test_new_connections_carry_the_new_certificate_and_old_ones_keep_theirs(stage: Stage) -> None:
    now = time.monotonic()
    first = await stage.person("first")
    await first.caller.start(video=False)
    await first.until("connection", connection="publish", state="connected")
    old = fingerprint(first.answers[0])
    assert not stage.transport.rotate(now + DAY_S - 60, DAY_S)
    assert stage.transport.rotate(now + DAY_S + 60, DAY_S)
    assert not stage.transport.rotate(now + DAY_S + 61, DAY_S), "once"
    second = await stage.person("second")
    await second.caller.start(video=False)
    await second.until("connection", connection="publish", state="connected")
    assert fingerprint(second.answers[0]) == stage.transport.certificate.fingerprint != old
    await first.caller.received(tracks=1, frames=5)
    await second.caller.received(tracks=1, frames=5)
    # The old connection is described by the certificate it was made with, however often.
    incoming = stage.control.rooms["r"].participants["first"].incoming
    assert incoming is not None
    assert incoming.connection.fingerprint == old
    outgoing = stage.control.rooms["r"].participants["first"].outgoing
    assert outgoing is not None
    assert fingerprint(outgoing.offer([])) == stage.transport.certificate.fingerprint, "it began after the change"


async def test_a_certificate_that_does_not_match_its_description_never_connects(stage: Stage) -> None:
    honest, other = await stage.person("honest"), await stage.person("impostor")
    other.disguise = ":".join(["AB"] * 32)
    await honest.caller.start(video=False)
    await honest.until("connection", connection="publish", state="connected")
    await other.caller.start(video=False)
    await other.until("connection", connection="publish", state="failed")
    states = [p["state"] for n, p in other.events if n == "connection" and p["connection"] == "publish"]
    assert states == ["failed"]
    assert stage.control.rooms["r"].participants["impostor"].incoming is None
    stats = (await honest.ask("stats"))["rooms"]["r"]
    assert stats["impostor"]["packets_in"] == 0
    await other.caller.received(tracks=1, frames=5)
    assert honest.caller.frames == {}, "nothing of the impostor arrived"
