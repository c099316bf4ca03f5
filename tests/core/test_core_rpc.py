"""The control channel: proofs both ways, bounded frames, errors by code."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from core.errors import Conflict
from core.rpc import MAX_FRAME, Params, Peer, RpcClient, RpcRefused, RpcServer, RpcUnavailable

SECRET = b"a-secret-of-the-test"


async def handler(method: str, params: Params, peer: Peer) -> Params:
    if method == "echo":
        peer.event("echoed", params)
        return params
    if method == "refuse":
        raise Conflict("no")
    if method == "wait":
        await asyncio.Event().wait()
    raise RuntimeError("not shown to the caller")


@asynccontextmanager
async def server() -> AsyncIterator[tuple[RpcServer, int]]:
    running = RpcServer(SECRET, handler)
    port = await running.start("127.0.0.1")
    try:
        yield running, port
    finally:
        await running.stop()


def ignore(name: str, params: Params) -> None:
    pass


async def test_a_stranger_with_another_secret_is_refused() -> None:
    async with server() as (running, port):
        with pytest.raises(RpcUnavailable):
            await RpcClient.connect("127.0.0.1", port, b"another", ignore)
        assert not running.peers


async def test_a_server_without_the_secret_is_refused_by_the_client() -> None:
    async def impostor(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for message in ({"nonce": "0" * 64}, {"mac": "0" * 64}):
            body = json.dumps(message).encode()
            writer.write(len(body).to_bytes(4, "big") + body)
        await reader.read()
        writer.close()

    listener = await asyncio.start_server(impostor, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    with pytest.raises(RpcUnavailable):
        await RpcClient.connect("127.0.0.1", port, SECRET, ignore)
    listener.close()


async def test_calls_events_and_errors_by_code() -> None:
    seen: list[tuple[str, Params]] = []
    async with server() as (_, port):
        client = await RpcClient.connect("127.0.0.1", port, SECRET, lambda name, params: seen.append((name, params)))
        assert await client.call("echo", {"a": 1}) == {"a": 1}
        assert seen == [("echoed", {"a": 1})]
        with pytest.raises(RpcRefused) as refused:
            await client.call("refuse", {})
        assert refused.value.code == "conflict"
        with pytest.raises(RpcRefused) as broken:
            await client.call("boom", {})
        assert broken.value.code == "internal"
        assert "not shown" not in broken.value.detail
        with pytest.raises(RpcUnavailable):
            await client.call("wait", {}, timeout_s=0.05)
        assert await client.call("echo", {"still": "up"}) == {"still": "up"}
        await client.close()


async def test_waiting_calls_fail_when_the_server_goes() -> None:
    async with server() as (running, port):
        client = await RpcClient.connect("127.0.0.1", port, SECRET, ignore)
        call = asyncio.create_task(client.call("wait", {}))
        await client.call("echo", {})
        await running.stop()
        with pytest.raises(RpcUnavailable):
            await call
        await asyncio.wait_for(client.closed.wait(), 2)
        with pytest.raises(RpcUnavailable):
            await client.call("echo", {})


@pytest.mark.parametrize(
    "hostile",
    [
        b"\xff\xff\xff\xff",
        (MAX_FRAME + 1).to_bytes(4, "big"),
        b"\x00\x00\x00\x00",
        b"\x00\x00\x00\x02[]",
        b"\x00\x00\x00\x05hello",
        b"\x00\x00\x02\x00" + b"[" * 512,
        b"\x00\x00\x00\x0d" + b'{"mac": null}',
    ],
)
async def test_a_hostile_first_frame_closes_the_connection_and_nothing_else(hostile: bytes) -> None:
    async with server() as (_, port):
        good = await RpcClient.connect("127.0.0.1", port, SECRET, ignore)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(hostile)
        await asyncio.wait_for(reader.read(), 2)  # the nonce, then the end
        writer.close()
        assert await good.call("echo", {"a": 1}) == {"a": 1}
        await good.close()


async def test_a_deep_frame_after_the_proof_closes_only_that_peer() -> None:
    async with server() as (_, port):
        client = await RpcClient.connect("127.0.0.1", port, SECRET, ignore)
        depth = client._seals.seal(b"[" * 100_000)
        client._writer.write(len(depth).to_bytes(4, "big") + depth)
        await asyncio.wait_for(client.closed.wait(), 2)
        other = await RpcClient.connect("127.0.0.1", port, SECRET, ignore)
        assert await other.call("echo", {}) == {}
        await other.close()


async def test_a_frame_that_was_changed_repeated_or_left_out_ends_the_connection() -> None:
    def sealed(client: RpcClient) -> bytes:
        body = client._seals.seal(b'{"id":7,"method":"echo","params":{}}')
        return len(body).to_bytes(4, "big") + body

    async with server() as (running, port):
        for attack in ("changed", "repeated", "left out", "in clear"):
            client = await RpcClient.connect("127.0.0.1", port, SECRET, ignore)
            assert await client.call("echo", {"before": attack}) == {"before": attack}
            frame = sealed(client)
            if attack == "changed":
                frame = frame[:-1] + bytes((frame[-1] ^ 1,))
            elif attack == "repeated":
                frame += frame
            elif attack == "left out":
                frame = sealed(client)
            else:
                frame = b"\x00\x00\x00\x24" + b'{"id":7,"method":"echo","params":{}}'
            client._writer.write(frame)
            await asyncio.wait_for(client.closed.wait(), 2)
            await client.close()
        assert not running.peers


async def test_a_recorded_conversation_can_t_be_played_back() -> None:
    """Everything one client sent, sent again on a new connection: another nonce, so the first proof is refused."""
    recorded: list[bytes] = []
    async with server() as (running, port):

        async def between(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", port)

            async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter, keep: bool) -> None:
                while data := await source.read(4096):
                    if keep:
                        recorded.append(data)
                    sink.write(data)
                sink.close()

            await asyncio.gather(pump(reader, up_writer, True), pump(up_reader, writer, False))

        listener = await asyncio.start_server(between, "127.0.0.1", 0)
        client = await RpcClient.connect("127.0.0.1", listener.sockets[0].getsockname()[1], SECRET, ignore)
        secret_word = {"sdp": "ice-pwd"}
        assert await client.call("echo", secret_word) == secret_word
        await client.close()
        listener.close()
        assert b"ice-pwd" not in b"".join(recorded)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"".join(recorded))
        answer = await asyncio.wait_for(reader.read(), 2)
        assert b'"mac"' not in answer
        writer.close()
        assert not running.peers
