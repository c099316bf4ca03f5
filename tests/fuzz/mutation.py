"""Seeds out of real packets, and changes to them: the plain driver, which needs nothing but Python.

The same number gives the same bytes on every machine, so a finding of ``make test`` can be repeated.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from media import stun
from media.rtp import rtcp, rtx
from media.rtp.packet import HEADER, extension_block
from media.rtp.twcc import TwccReceiver
from tests.fuzz import worker

CAPTURED = Path(__file__).parents[1] / "media" / "sdp"
INTERESTING = (0, 1, 0x7F, 0x80, 0xFF, 0x10, 0xBE, 0xDE, 0xC8, 0xCD, 0xCE)
LONGEST = 1_500
LONGEST_DESCRIPTION = 20_000


def seeds() -> dict[str, list[bytes]]:
    """By target."""
    extensions = extension_block([(1, b"\x7f"), (3, b"\x12\x34"), (4, b"0")])
    wide = extension_block([(2, b"\x01\x02\x03"), (18, b"0" * 20)])
    key = b"\x90\xe0\x80\x01\x07\x20\x10\x02\x00\x9d\x01\x2a\x80\x02\x68\x01" + bytes(40)
    packets = [
        HEADER.pack(0x80, 111, 1, 960, 7) + b"opus" * 20,
        HEADER.pack(0x90, 0x80 | 96, 2, 3000, 8) + extensions + key,
        HEADER.pack(0xB1, 96, 3, 3000, 8) + bytes(4) + wide + key + b"\x00\x00\x00\x04",
        HEADER.pack(0x90, 97, 4, 3000, 9) + extensions + rtx.wrap(2, key),
    ]
    twcc = TwccReceiver()
    for number in (1, 2, 3, 9, 10, 400, 401):
        twcc.arrived(number, 5.0 + number / 500)
    block = rtcp.ReportBlock(8, 12, 300, 70_000, 55, 0x12345678, 4000)
    reports = [
        rtcp.sender_report(rtcp.SenderReport(8, rtcp.ntp(1.7e9), 3000, 20, 30_000)) + rtcp.cname(8, "peer"),
        rtcp.receiver_report(1, [block, block]) + rtcp.nack(1, 8, [1, 2, 5, 16, 17, 40]),
        rtcp.receiver_report(1, []) + rtcp.pli(1, 8) + rtcp.fir(1, 8, 3) + rtcp.remb(1, 900_000, [8, 9]),
        *(rtcp.receiver_report(1, []) + one for one in twcc.feedback(1, 8)),
    ]
    checks = [
        stun.binding_request(bytes(range(12)), "them", "ours", b"password", nominate=nominate)
        for nominate in (True, False)
    ]
    payloads = [key, b"\x65" + bytes(30), b"\x78\x00\x02\x67\x00", b"\x7c\x85" + bytes(30), b"\x88\x01" + bytes(20)]
    payloads += [b"\xef\x00\x0a\x04\x6fabcdown", rtx.wrap(7, b"payload")]
    walk = b"".join(bytes((31, 0, n, 20)) for n in range(60)) + b"".join(bytes((4, 255, n, 5)) for n in range(9))
    return {
        "packet": packets,
        "control": reports,
        "check": checks,
        "description": [path.read_bytes() for path in sorted(CAPTURED.iterdir())],
        "payload": payloads,
        "numbers": [walk, walk[::-1]],
        "worker": worker.seeds(packets, reports, checks),
    }


def changed(chance: random.Random, known: list[bytes], longest: int) -> bytes:
    """One of ``known`` with a few changes."""
    data = bytearray(chance.choice(known))
    for _ in range(1 + chance.randrange(5)):
        size = len(data)
        at = chance.randrange(size) if size else 0
        kind = chance.randrange(8)
        if kind == 0 and size:
            data[at] ^= 1 << chance.randrange(8)
        elif kind == 1 and size:
            data[at] = chance.choice(INTERESTING)
        elif kind == 2:
            del data[at:]
        elif kind == 3:
            data[at:at] = chance.randbytes(chance.randrange(1, 9))
        elif kind == 4 and size:
            del data[at : at + chance.randrange(1, 9)]
        elif kind == 5 and size:
            end = at + chance.randrange(1, 40)
            data[end:end] = data[at:end] * chance.choice((1, 2, 30))
        elif kind == 6:
            other = chance.choice(known)
            cut = chance.randrange(len(other) + 1)
            data[at:] = other[cut:]
        elif size > 1:
            data[at : at + 2] = chance.choice((b"\x00\x00", b"\xff\xff", b"\x7f\xff", b"\x80\x00", b"\x00\x01"))
    return bytes(data[:longest])


def inputs(target: str, number: int) -> Iterator[bytes]:
    """First the seeds, then changed ones without end, the same for the same ``number``."""
    known = seeds()[target]
    yield from known
    chance = random.Random(f"{target} {number}")
    longest = LONGEST_DESCRIPTION if target == "description" else 4 * LONGEST if target == "worker" else LONGEST
    while True:
        yield changed(chance, known, longest)
