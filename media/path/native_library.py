"""The library built of ``media/native``, and what every object of it carries."""

from __future__ import annotations

from functools import cache
from typing import Any

from cffi import FFI

from media.path.build import SOURCES, library


class NotBuilt(Exception):
    """There is no native library for these sources; the message says why."""


@cache
def load() -> tuple[Any, Any]:
    """cffi's interface and the library. Raises NotBuilt."""
    path = library()
    if not path.exists():
        raise NotBuilt("not built: python -m media.path.build")
    ffi = FFI()
    ffi.cdef((SOURCES / "path.h").read_text())
    try:
        return ffi, ffi.dlopen(str(path))
    except OSError as error:
        raise NotBuilt(str(error)) from None


class NativeObject:
    """A C struct and the functions for it. ``c`` is None once it is freed."""

    def __init__(self, ffi: Any, lib: Any, c: Any) -> None:
        if not c:
            raise MemoryError
        self.ffi = ffi
        self.lib = lib
        self.c = c
