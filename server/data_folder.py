"""The data folder of an instance that runs everything itself: its lock and its secrets."""

from __future__ import annotations

import base64
import fcntl
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

from server.processes import ProcessError


@dataclass(frozen=True, slots=True)
class Secrets:
    """What the first start makes and every later start reads."""

    master_key: str  # 32 bytes, base64
    role_secret: str
    media_control_secret: str


class DataFolder:
    """The data folder, held by an exclusive lock for as long as this object lives."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._lock: IO[str] | None = None

    def lock(self) -> None:
        """Take the folder for this process. Raises ProcessError when another instance has it."""
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = (self.path / ".lock").open("a+", encoding="utf-8")
        except OSError as error:
            raise ProcessError(f"the data folder {self.path} can't be used: {error.strerror}") from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            handle.seek(0)
            holder = handle.read().strip()
            handle.close()
            by = f" (process {holder})" if holder else ""
            raise ProcessError(f"the data folder {self.path} is in use by another Bedside{by}") from None
        handle.truncate(0)
        handle.write(f"{os.getpid()}\n")
        handle.flush()
        self._lock = handle

    def unlock(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def secrets(self) -> Secrets:
        """Read the secrets, making them at the first start. Refuses to make new ones for old data."""
        folder = self.path / "secrets"
        folder.mkdir(mode=0o700, exist_ok=True)
        has_data = (self.path / "postgres" / "PG_VERSION").exists()

        def read(name: str, make: Callable[[], str]) -> str:
            file = folder / name
            if not file.exists():
                # A new master key could never read what is stored: better to stop than to look empty.
                if has_data:
                    raise ProcessError(f"{file} is missing, but {self.path} holds data that needs it")
                _write_private(file, make())
            return file.read_text(encoding="utf-8").strip()

        return Secrets(
            master_key=read("master_key", lambda: base64.b64encode(secrets.token_bytes(32)).decode()),
            role_secret=read("role_secret", lambda: secrets.token_urlsafe(32)),
            media_control_secret=read("media_control_secret", lambda: secrets.token_urlsafe(32)),
        )

    def __enter__(self) -> DataFolder:
        self.lock()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.unlock()


def _write_private(file: Path, content: str) -> None:
    """Write durably with mode 0600; a half-written secret is never seen under its name."""
    draft = file.with_suffix(".new")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        os.write(handle, f"{content}\n".encode())
        os.fsync(handle)
    finally:
        os.close(handle)
    draft.rename(file)
