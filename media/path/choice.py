"""Which path a worker takes."""

from __future__ import annotations

import logging

from media.path.api import DatagramHandler, Path, StreamHandler
from media.path.native import NativePath
from media.path.native_library import NotBuilt
from media.path.python_path import PythonPath

log = logging.getLogger(__name__)


def make_path(choice: str, on_datagram: DatagramHandler, on_stream: StreamHandler) -> Path:
    """``python``, ``native``, or ``auto``: native where it is built. Raises NotBuilt where it must be and is not."""
    if choice != "python":
        try:
            return NativePath(on_datagram, on_stream)
        except NotBuilt as error:
            if choice == "native":
                raise
            log.info("media_path_native_not_built", extra={"reason": str(error)})
    return PythonPath(on_datagram, on_stream)
