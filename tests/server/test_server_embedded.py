"""The embedded services: private, restartable after any kill, one instance per data folder."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import asyncpg
import pytest
from redis.asyncio import Redis

import server.embedded
from server.data_folder import DataFolder
from server.embedded import EmbeddedPostgres, EmbeddedValkey, socket_folder
from server.processes import ProcessError, keep_running

FAST = {"fsync": "off"}


async def wait_until(condition, timeout_s: float = 20.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.02)


def test_second_instance_is_refused_in_one_line(tmp_path: Path) -> None:
    with DataFolder(tmp_path / "data"), pytest.raises(ProcessError, match=f"in use by another.*{os.getpid()}"):
        DataFolder(tmp_path / "data").lock()
    with DataFolder(tmp_path / "data"):
        pass


def test_secrets_are_made_once_and_private(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    first = folder.secrets()
    assert folder.secrets() == first
    assert len({first.master_key, first.role_secret, first.media_control_secret}) == 3
    for file in (tmp_path / "secrets").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_missing_secret_for_old_data_is_refused(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    folder.secrets()
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("18")
    (tmp_path / "secrets" / "master_key").unlink()
    with pytest.raises(ProcessError, match="master_key is missing"):
        folder.secrets()


def test_socket_path_stays_short(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["a-long-folder-name"] * 20)
    assert len(str(socket_folder(deep) / "pg" / ".s.PGSQL.5432.lock")) <= 107
    assert socket_folder(deep) != socket_folder(tmp_path)


@pytest.mark.integration
async def test_postgres_keeps_commits_through_sigkill(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path, role_secret="s")
    await server.start()
    connection = await asyncpg.connect(server.url)
    await connection.execute("CREATE TABLE kept (n int)")
    await connection.execute("INSERT INTO kept VALUES (1)")
    assert await connection.fetchval("SHOW listen_addresses") == ""
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    await wait_until(lambda: not server.alive())
    connection.terminate()
    await server.start()
    try:
        connection = await asyncpg.connect(server.url)
        assert await connection.fetchval("SELECT n FROM kept") == 1
        await connection.close()
    finally:
        await server.stop()
    assert not server.alive()


@pytest.mark.integration
async def test_stale_pid_file_of_a_strangers_process_does_not_matter(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path, role_secret="s", options=FAST)
    await server.start()
    pid_file = tmp_path / "postgres" / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    await server.stop()
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        pid_file.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
        await server.start()
        assert stranger.poll() is None
        await server.stop()
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.integration
async def test_wrong_role_secret_is_named(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path, role_secret="s", options=FAST)
    await server.start()
    await server.stop()
    other = EmbeddedPostgres(tmp_path, role_secret="other", options=FAST)
    with pytest.raises(ProcessError, match="role secret"):
        await other.start()
    await other.stop()


@pytest.mark.integration
async def test_valkey_keeps_answered_writes_through_sigkill(tmp_path: Path) -> None:
    server = EmbeddedValkey(tmp_path)
    await server.start()
    client = Redis.from_url(server.url)
    await client.xadd("stream", {"n": "1"})
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    await wait_until(lambda: not server.alive())
    await server.start()
    try:
        assert await client.xlen("stream") == 1
        assert stat.S_IMODE(server.socket.parent.stat().st_mode) == 0o700
    finally:
        await client.aclose()
        await server.stop()


@pytest.mark.integration
async def test_a_dead_service_is_started_again(tmp_path: Path) -> None:
    server = EmbeddedValkey(tmp_path)
    await server.start()
    lines: list[str] = []
    keeper = asyncio.create_task(keep_running([server], lines.append, every_s=0.02))
    try:
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        await wait_until(lambda: len(lines) == 2)
        assert server.alive()
        assert lines[1] == "Valkey is back"
    finally:
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)
        await server.stop()


PARENT = """
import asyncio, sys
from pathlib import Path
from server.embedded import EmbeddedPostgres, EmbeddedValkey
async def main():
    data = Path(sys.argv[1])
    services = [EmbeddedPostgres(data, role_secret="s", options={"fsync": "off"}), EmbeddedValkey(data)]
    for service in services:
        await service.start()
    print(*(service.pid for service in services), flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


@pytest.mark.integration
@pytest.mark.skipif(sys.platform != "linux", reason="the parent's death is signalled on Linux alone")
async def test_children_die_with_a_killed_parent_and_start_again(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pids = [int(word) for word in (await asyncio.to_thread(parent.stdout.readline)).split()]
    assert len(pids) == 2
    parent.kill()
    parent.wait()

    def ended(pid: int) -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
        except (FileNotFoundError, ProcessLookupError):
            return True

    # Started at once: it waits for what the killed run left.
    server = EmbeddedPostgres(tmp_path, role_secret="s", options=FAST)
    await server.start()
    await wait_until(lambda: all(ended(pid) for pid in pids))
    await server.stop()


@pytest.mark.integration
async def test_a_first_start_that_was_killed_is_begun_anew(tmp_path: Path) -> None:
    half = tmp_path / "postgres.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18")
    server = EmbeddedPostgres(tmp_path, role_secret="s", options=FAST)
    await server.start()
    await server.stop()
    assert not half.exists()
    assert not list(server.sockets.glob("password"))


@pytest.mark.integration
@pytest.mark.skipif(os.geteuid() != 0, reason="only root must become somebody else")
async def test_root_without_user_namespaces_uses_an_account_or_says_what_bars_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server.embedded, "_works", lambda *_: False)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        barred = EmbeddedPostgres(folder / "data", role_secret="s", options=FAST)  # its parent is root's alone
        with pytest.raises(ProcessError, match="start Bedside as an ordinary user"):
            await barred.start()
        folder.chmod(0o755)
        (folder / "data").chmod(0o755)
        if any(not parent.stat().st_mode & 0o001 for parent in server.embedded._postgres_binaries().parents):
            return  # the packages are root's alone, which is what was just said
        postgres = EmbeddedPostgres(folder / "data", role_secret="s", options=FAST)
        await postgres.start()
        try:
            status = Path(f"/proc/{postgres.pid}/status").read_text()
            assert "Uid:\t0\t" not in status
        finally:
            await postgres.stop()
