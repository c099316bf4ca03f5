"""Calls through a real coturn with the configuration we print: every way in, and nothing but workers behind it."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import aioice.stun
import aioice.turn
import pytest
from aiortc import RTCIceServer
from pydantic import SecretStr

from core.settings import Media, SettingsError, load
from core.turn import LIFETIME, ice_servers
from loadtests.peer import Caller
from server.certificates import certificate_for
from server.turn import NotReachableByTurn, listening_ports, peer_ranges, turn_config
from tests.media.conftest import Person, Worker, free_port

ROOT = Path(__file__).parents[2]
SHARED = "relay-secret-of-the-test"
RELAY_FROM = "127.0.0.5"  # relayed packets come from here, so that they are told from direct ones
TRANSPORTS = ("turn:udp", "turn:tcp", "turns:tcp")


def free_tcp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Relay:
    """coturn on loopback. It may reach 127.0.0.1 alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.tls_port = free_tcp_port(), free_tcp_port()
        self.certificate, key = certificate_for(folder, ["127.0.0.1"], datetime.now(UTC))
        self.urls = [
            f"turn:127.0.0.1:{self.port}?transport=udp",
            f"turn:127.0.0.1:{self.port}?transport=tcp",
            f"turns:127.0.0.1:{self.tls_port}?transport=tcp",
        ]
        self.media = Media(
            turn_urls=self.urls,
            turn_secret=SecretStr(SHARED),
            turn_peers=["127.0.0.1"],
            turn_certificate=self.certificate,
            turn_key=key,
        )
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        file = self.folder / "turnserver.conf"
        file.write_text(turn_config(self.media, listen=["127.0.0.1"]))
        program = shutil.which("turnserver")
        assert program is not None, "coturn is missing: deploy/bootstrap.py test installs it"
        self.process = await asyncio.create_subprocess_exec(
            program,
            *("-c", str(file), "--relay-ip", RELAY_FROM, "--pidfile", str(self.folder / "pid"), "--log-file", "stdout"),
            *("--userdb", str(self.folder / "turndb"), "--min-port", "49152", "--max-port", "65535"),
            cwd=self.folder,
            stdout=(self.folder / "log").open("wb"),
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(10):
            for port in (self.port, self.tls_port):
                while True:
                    assert self.process.returncode is None, (self.folder / "log").read_text()
                    try:
                        _, writer = await asyncio.open_connection("127.0.0.1", port)
                    except OSError:
                        await asyncio.sleep(0.05)
                        continue
                    writer.close()
                    break

    async def stop(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.terminate()
            await self.process.wait()

    def credentials(self, now: datetime | None = None) -> tuple[str, str]:
        offered = ice_servers(self.urls, SHARED, uuid4(), now or datetime.now(UTC))[0]
        return offered["username"], offered["credential"]

    def server(self, transport: str) -> RTCIceServer:
        username, credential = self.credentials()
        return RTCIceServer(self.urls[TRANSPORTS.index(transport)], username, credential)

    async def endpoint(self, transport: str, username: str, credential: str, protocol: Any) -> Any:
        """A TURN allocation. Raises what the relay answers."""
        tls = transport.startswith("turns")
        context = ssl.create_default_context(cafile=str(self.certificate)) if tls else None
        port = self.tls_port if tls else self.port
        made = await aioice.turn.create_turn_endpoint(
            lambda: protocol,
            ("127.0.0.1", port),
            username,
            credential,
            ssl=context,
            transport=transport.partition(":")[2],
        )
        return made[0]


@pytest.fixture(scope="module")
async def relay(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Relay]:
    running = Relay(tmp_path_factory.mktemp("relay"))
    await running.start()
    yield running
    await running.stop()


class RelayedWorker(Worker):
    """A worker that believes relays alone."""

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | {"BEDSIDE_MEDIA_RELAY_ADDRESSES": f"{RELAY_FROM}/32"}


@pytest.fixture(scope="module")
async def relayed_worker(valkey: str) -> AsyncIterator[RelayedWorker]:
    running = RelayedWorker(valkey, free_port())
    await running.start()
    yield running
    await running.stop()


async def join(worker: Worker, room: str, name: str, relays: list[RTCIceServer] | None) -> Person:
    holder: list[Person] = []
    client = await worker.connect(lambda event, params: holder[0].on_event(event, params))
    person = Person(client, room, name)
    person.caller = Caller(person._publish, person._answer, relays)
    holder.append(person)
    await person.ask("join")
    return person


@pytest.mark.integration
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_call_through_the_relay_alone(
    relay: Relay, relayed_worker: RelayedWorker, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(relay.certificate))  # what the peer's TLS trusts
    room = f"relayed-{transport}"
    people = [await join(relayed_worker, room, name, [relay.server(transport)]) for name in ("one", "two")]
    try:
        for person in people:
            await person.caller.start()
        for person in people:
            await person.caller.received(tracks=2, frames=5)
    finally:
        for person in people:
            await person.close()


@pytest.mark.integration
async def test_a_worker_that_believes_relays_alone_takes_nothing_direct(relayed_worker: RelayedWorker) -> None:
    from loadtests.peer import stay_on_loopback

    stay_on_loopback()
    person = await join(relayed_worker, "direct", "one", None)
    try:
        start = asyncio.create_task(person.caller.start())
        async with asyncio.timeout(15):
            while not (await person.ask("stats"))["drops"].get("not_a_relay"):
                await asyncio.sleep(0.05)
        await start
        assert person.caller.publishing is not None
        assert person.caller.publishing.connectionState != "connected"
    finally:
        await person.close()


class Collected(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.errors: asyncio.Queue[Exception] = asyncio.Queue()
        self.data: asyncio.Queue[bytes] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.data.put_nowait(data)

    def error_received(self, exc: Exception) -> None:
        self.errors.put_nowait(exc)


@pytest.mark.integration
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_credentials_of_a_past_time_and_invented_ones_are_refused(relay: Relay, transport: str) -> None:
    past = datetime.now(UTC) - LIFETIME - timedelta(minutes=1)
    username, credential = relay.credentials()
    longer = f"{int(username.partition(':')[0]) + 3600}:{username.partition(':')[2]}"
    for name, secret in (relay.credentials(past), (username, "invented"), (longer, credential), ("", "")):
        with pytest.raises(aioice.stun.TransactionFailed) as refused:
            await relay.endpoint(transport, name, secret, Collected())
        assert refused.value.response.error_code == 401


@pytest.mark.integration
async def test_a_credential_reaches_workers_and_nothing_else(relay: Relay) -> None:
    listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listening.bind(("127.0.0.2", 0))
    listening.setblocking(False)
    allowed = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    allowed.bind(("127.0.0.1", 0))
    allowed.setblocking(False)
    collected = Collected()
    loop = asyncio.get_running_loop()
    endpoint = await relay.endpoint("turn:udp", *relay.credentials(), collected)
    try:
        elsewhere = [listening.getsockname(), ("192.0.2.1", 53), ("10.0.0.1", 6379), ("169.254.169.254", 80)]
        for address in elsewhere:
            endpoint.sendto(b"from outside", address)
            error = await asyncio.wait_for(collected.errors.get(), 5)
            assert isinstance(error, aioice.stun.TransactionFailed)
            assert error.response.error_code == 403
        endpoint.sendto(b"to a worker", allowed.getsockname())
        assert await asyncio.wait_for(loop.sock_recv(allowed, 100), 5) == b"to a worker"
        with pytest.raises(BlockingIOError):
            listening.recv(100)
    finally:
        endpoint.close()
        listening.close()
        allowed.close()


def test_the_configuration_allows_the_workers_and_denies_the_rest() -> None:
    media = Media(
        turn_urls=["turn:turn.clinic.example?transport=udp", "turns:turn.clinic.example:443?transport=tcp"],
        turn_secret=SecretStr("s3cret"),
        turn_peers=["198.51.100.7", "10.1.0.0/24", "2001:db8::7"],
        turn_certificate=Path("/etc/turn.pem"),
        turn_key=Path("/etc/turn-key.pem"),
    )
    lines = turn_config(media, external="203.0.113.9/10.0.0.9").splitlines()
    for line in (
        "listening-port=3478",
        "tls-listening-port=443",
        "use-auth-secret",
        "static-auth-secret=s3cret",
        "denied-peer-ip=0.0.0.0-255.255.255.255",
        "allowed-peer-ip=198.51.100.7",
        "allowed-peer-ip=10.1.0.0-10.1.0.255",
        "allowed-peer-ip=2001:db8::7",
        "external-ip=203.0.113.9/10.0.0.9",
        "no-tcp-relay",
    ):
        assert line in lines
    assert "allow-loopback-peers" not in lines
    assert not any("s3cret" in line for line in turn_config(media, secret=False).splitlines())


def test_what_can_t_be_a_relay_is_one_clear_line() -> None:
    for media, word in (
        (Media(), "turn_urls"),
        (Media(turn_urls=["turn:a"]), "turn_secret"),
        (Media(turn_urls=["turns:a"], turn_secret=SecretStr("s")), "turn_certificate"),
    ):
        with pytest.raises(NotReachableByTurn, match=word):
            turn_config(media)
    with pytest.raises(SettingsError, match="relay_only needs turn_urls"):
        load(None, {"BEDSIDE_MEDIA_RELAY_ONLY": "true"})
    with pytest.raises(SettingsError, match="networks"):
        load(None, {"BEDSIDE_MEDIA_TURN_PEERS": "somewhere"})
    with pytest.raises(SettingsError, match="addresses"):
        load(None, {"BEDSIDE_MEDIA_ADDRESS": "198.51.100.7, media.example"})


def test_ports_and_ranges() -> None:
    assert listening_ports(["turn:a", "turns:[2001:db8::1]?transport=tcp"]) == (3478, 5349)
    assert listening_ports(["turn:[2001:db8::1]:3479", "turn:a:1", "turns:b:443"]) == (3479, 443)
    assert peer_ranges(["10.0.0.1", "10.0.0.0/30"]) == ["10.0.0.1", "10.0.0.0-10.0.0.3"]


def test_the_composed_services_relay_has_the_printed_configuration() -> None:
    media = Media(
        turn_urls=["turn:localhost:3478?transport=udp", "turn:localhost:3478?transport=tcp"],
        turn_peers=["172.16.0.0/12"],
    )
    assert (ROOT / "deploy" / "turnserver.conf").read_text() == turn_config(media, secret=False)
