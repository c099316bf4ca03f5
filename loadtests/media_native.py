"""Builds and binds ``native/peers.c``: the per-packet work of the benchmark's peers. Needs a C compiler."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path
from typing import Any

from pylibsrtp import Session
from pylibsrtp._binding import ffi, lib

SOURCE = Path(__file__).parent / "native" / "peers.c"
COMPILERS = ("cc", "gcc", "clang")
KEPT = 256
CIPHERTEXT = 192
ARRIVALS = 1024
WINDOW = 4096


class NoCompilerError(Exception):
    """There is none of ``COMPILERS``, or it refused."""


def build(folder: Path) -> Path:
    """The compiled library, in ``folder``. Raises NoCompilerError."""
    compiler = next((found for name in COMPILERS if (found := shutil.which(name))), None)
    if compiler is None:
        raise NoCompilerError(f"the benchmark's peers need a C compiler ({', '.join(COMPILERS)})")
    library = folder / "peers.so"
    done = subprocess.run(
        [compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(SOURCE)], capture_output=True, text=True
    )
    if done.returncode:
        raise NoCompilerError(done.stderr.strip())
    return library


class Counts(ctypes.Structure):
    """``struct counts``: what a process saw between two moments of the wall clock."""

    _fields_ = [
        ("begin", ctypes.c_double),
        ("end", ctypes.c_double),
        ("published", ctypes.c_uint64),
        ("sent", ctypes.c_uint64),
        ("sent_sound", ctypes.c_uint64),
        ("received", ctypes.c_uint64),
        ("received_sound", ctypes.c_uint64),
        ("datagrams", ctypes.c_uint64),
        ("octets", ctypes.c_uint64),
        ("retransmitted", ctypes.c_uint64),
        ("unsent", ctypes.c_uint64),
        ("latencies", ctypes.POINTER(ctypes.c_float)),
        ("latency_count", ctypes.c_uint64),
        ("latency_space", ctypes.c_uint64),
    ]


class Link(ctypes.Structure):
    """``struct link``."""

    _fields_ = [
        ("outgoing", ctypes.c_void_p),
        ("incoming", ctypes.c_void_p),
        ("descriptor", ctypes.c_int32),
        ("chance", ctypes.c_uint32),
        ("lost_below", ctypes.c_uint32),
        ("transport_number", ctypes.c_uint16),
        ("transport_id", ctypes.c_uint16),
        ("arrived_count", ctypes.c_uint32),
        ("arrived", ctypes.c_uint16 * ARRIVALS),
        ("arrived_at", ctypes.c_double * ARRIVALS),
    ]


class Kept(ctypes.Structure):
    """``struct kept``."""

    _fields_ = [
        ("stamp", ctypes.c_double),
        ("timestamp", ctypes.c_uint32),
        ("length", ctypes.c_int32),
        ("sequence", ctypes.c_uint16),
        ("marker", ctypes.c_uint8),
        ("kind", ctypes.c_uint8),
        ("used", ctypes.c_uint8),
        ("ciphertext", ctypes.c_uint8 * CIPHERTEXT),
    ]


class Track(ctypes.Structure):
    """``struct track``."""

    _fields_ = [
        ("link", ctypes.POINTER(Link)),
        ("ssrc", ctypes.c_uint32),
        ("rtx_ssrc", ctypes.c_uint32),
        ("timestamp", ctypes.c_uint32),
        ("packets", ctypes.c_uint32),
        ("octets", ctypes.c_uint32),
        ("size", ctypes.c_uint32),
        ("sequence", ctypes.c_uint16),
        ("rtx_sequence", ctypes.c_uint16),
        ("type", ctypes.c_uint8),
        ("rtx_type", ctypes.c_uint8),
        ("video", ctypes.c_uint8),
        ("mid", ctypes.c_uint8),
        ("acknowledged", ctypes.c_uint8),
        ("wants_keyframe", ctypes.c_uint8),
        ("rid", ctypes.c_uint8),
        ("counted", ctypes.c_uint8),
        ("last", ctypes.c_double),
        ("kept", Kept * KEPT),
    ]


class Stream(ctypes.Structure):
    """``struct stream``."""

    _fields_ = [
        ("ssrc", ctypes.c_uint32),
        ("rtx_ssrc", ctypes.c_uint32),
        ("clock_rate", ctypes.c_double),
        ("last_transit", ctypes.c_double),
        ("jitter", ctypes.c_double),
        ("base", ctypes.c_int64),
        ("highest", ctypes.c_int64),
        ("received", ctypes.c_int64),
        ("seen", ctypes.c_uint64 * (WINDOW // 64)),
    ]


class Event(ctypes.Structure):
    """``struct event``: a packet that did not follow its predecessor."""

    _fields_ = [
        ("expected", ctypes.c_int64),
        ("sequence", ctypes.c_int64),
        ("stream", ctypes.c_int32),
        ("unused", ctypes.c_int32),
    ]


class Native:
    """The library, with libsrtp's functions and the counts handed in."""

    def __init__(self, library: str, counts: Counts) -> None:
        loaded = ctypes.CDLL(library)
        loaded.prepare(
            ctypes.c_void_p(_address(ffi.addressof(lib, "srtp_protect"))),
            ctypes.c_void_p(_address(ffi.addressof(lib, "srtp_unprotect"))),
            ctypes.byref(counts),
        )
        for function in (loaded.send_frame, loaded.send_again):
            function.restype = None
        self.send_frame: Any = loaded.send_frame
        self.send_again: Any = loaded.send_again
        self.receive: Any = loaded.receive


def session_address(session: Session) -> int:
    """Where libsrtp's own session is; ``session`` must be kept as long as it is used."""
    return _address(session._srtp[0])


def _address(pointer: Any) -> int:
    return int(ffi.cast("uintptr_t", pointer))
