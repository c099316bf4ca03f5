"""The fuzz targets on the same few thousand inputs each time; ``make proof PART=fuzz`` goes on for hours."""

from __future__ import annotations

from itertools import islice

import pytest

from tests.fuzz import worker
from tests.fuzz.mutation import inputs, seeds
from tests.fuzz.targets import TARGETS

EXECUTIONS = {"description": 400, "numbers": 2_000}  # large inputs, long walks
USUAL = 10_000
WORKERS = 150


@pytest.mark.parametrize("name", TARGETS)
def test_no_bytes_break(name: str) -> None:
    target = TARGETS[name]
    for data in islice(inputs(name, 0), EXECUTIONS.get(name, USUAL)):
        try:
            target(data)
        except Exception as error:
            raise AssertionError(f"{name} fails for {data.hex()}") from error


async def test_no_datagrams_break_a_worker() -> None:
    reasons: set[str] = set()
    for data in islice(inputs("worker", 0), WORKERS):
        try:
            reasons |= (await worker.run(data, "python")).keys()
        except Exception as error:
            raise AssertionError(f"a worker fails for {data.hex()}") from error
    # The inputs got as far as they should.
    assert reasons >= {"stranger", "srtp", "srtcp", "unrouted", "stun_refused", "stun_malformed", "rtcp_malformed"}


def test_every_seed_is_taken() -> None:
    """What the fuzzers begin with is what the parsers understand, or they would stay at the door."""
    from media import sdp, stun
    from media.rtp import rtcp
    from media.rtp.packet import payload_start

    known = seeds()
    assert all(len(payload_start(packet)) == 2 for packet in known["packet"])
    assert all(rtcp.parse(report) for report in known["control"])
    assert all(stun.parse_check(check) is not None for check in known["check"])
    assert all(sdp.parse(text.decode()).media for text in known["description"])
