"""An authenticated control channel between two of our own processes, over TCP.

Frames are 4 bytes of big-endian length and a JSON object (``docs/protocol.md``, "Media control").
Both sides prove that they hold the shared secret before anything else is read: the server sends a
nonce, the client answers with its proof and a nonce of its own, the server proves itself over that.
The proofs are labelled by direction, so that one side's proof can't be played back as the other's.
After that every frame is sealed (``core.sealed``): nobody on the way reads, changes or repeats one.

Every limit is a named constant: a stranger who reaches the port costs one small read and a timeout.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import itertools
import json
import logging
import secrets
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from core.background import cancel_all
from core.errors import BedsideError, Unavailable
from core.sealed import OVERHEAD, NotOpened, Seals

log = logging.getLogger(__name__)

Params = dict[str, Any]

MAX_FRAME = 512 * 1024  # the largest SDP we accept is far below this
MAX_HANDSHAKE_FRAME = 512  # before a proof, only nonces and digests are read
HANDSHAKE_TIMEOUT_S = 5.0
MAX_CONNECTIONS = 512
MAX_IN_FLIGHT = 256  # requests of one peer being worked on; reading pauses beyond
MAX_UNSENT = 8 * 1024 * 1024  # a peer that does not read is dropped, it can't hold our memory
CALL_TIMEOUT_S = 10.0


class RpcRefused(BedsideError):
    """The other side answered with an error; ``code`` is the one it gave."""

    status = 409
    title = "The other side refused"

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code: str = code  # type: ignore[misc]  # the peer names it, per instance


class RpcUnavailable(Unavailable):
    """The channel is closed, or the answer did not come in time."""


class FrameError(Exception):
    """What came is not a frame of this protocol; the connection is closed."""


def _encode(message: Params, seals: Seals | None = None) -> bytes:
    body = json.dumps(message, separators=(",", ":")).encode()
    if len(body) > MAX_FRAME - OVERHEAD:
        raise FrameError("frame too large")
    if seals is not None:
        body = seals.seal(body)
    return len(body).to_bytes(4, "big") + body


async def _read(reader: asyncio.StreamReader, limit: int, seals: Seals | None = None) -> Params:
    """Read one frame. Raises FrameError, asyncio.IncompleteReadError."""
    length = int.from_bytes(await reader.readexactly(4), "big")
    if not 2 <= length <= limit:
        raise FrameError("frame length out of bounds")
    body = await reader.readexactly(length)
    try:
        message = json.loads(body if seals is None else seals.open(body))
    except NotOpened:
        raise FrameError("not sealed by the peer") from None
    except (ValueError, RecursionError):
        raise FrameError("not JSON") from None
    if not isinstance(message, dict):
        raise FrameError("not an object")
    return message


def _proof(secret: bytes, side: str, nonce: str) -> str:
    return hmac.new(secret, f"{side}:{nonce}".encode(), hashlib.sha256).hexdigest()


def _nonce(message: Params) -> str:
    nonce = message.get("nonce")
    if not isinstance(nonce, str) or not 16 <= len(nonce) <= 128:
        raise FrameError("nonce expected")
    return nonce


def _check(secret: bytes, side: str, nonce: str, message: Params) -> None:
    mac = message.get("mac")
    if not isinstance(mac, str) or not hmac.compare_digest(mac.encode(), _proof(secret, side, nonce).encode()):
        raise FrameError("proof refused")


def _tune(writer: asyncio.StreamWriter) -> None:
    raw = writer.get_extra_info("socket")
    if raw is not None:
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


class Peer:
    """One authenticated client of an RpcServer, as handlers see it."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self.seals: Seals | None = None
        self.closed = False

    def event(self, name: str, params: Params) -> bool:
        """Send an event; False when the peer is gone. Never waits."""
        return self._send({"event": name, "params": params})

    def close(self) -> None:
        """Drop the connection."""
        self.closed = True
        self._writer.transport.abort()

    def _send(self, message: Params) -> bool:
        if self.closed or self._writer.is_closing():
            return False
        if self._writer.transport.get_write_buffer_size() > MAX_UNSENT:
            log.warning("rpc_peer_not_reading")
            self.close()
            return False
        try:
            frame = _encode(message, self.seals)
        except FrameError:
            log.error("rpc_frame_too_large")
            return False
        self._writer.write(frame)
        return True


Handler = Callable[[str, Params, Peer], Awaitable[Params]]


class RpcServer:
    """Answers authenticated requests with ``handler(method, params, peer)``; may send events to peers.

    A ``BedsideError`` raised by the handler becomes its code and detail; anything else becomes
    ``internal`` and is logged without its parameters. ``on_closed`` hears of each peer that went.
    """

    def __init__(self, secret: bytes, handler: Handler, on_closed: Callable[[Peer], None] | None = None) -> None:
        if not secret:
            raise ValueError("a control channel needs a secret")
        self._secret = secret
        self._handler = handler
        self._on_closed = on_closed
        self._server: asyncio.Server | None = None
        self._connections = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.peers: set[Peer] = set()

    async def start(self, host: str, port: int = 0) -> int:
        """Listen; returns the port (an ephemeral one for 0)."""
        self._server = await asyncio.start_server(self._accept, host, port, limit=MAX_FRAME)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close the listener and every connection; unfinished requests are cancelled."""
        if self._server is not None:
            self._server.close()
        for peer in list(self.peers):
            peer.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._connections >= MAX_CONNECTIONS:
            writer.transport.abort()
            return
        self._connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        peer = Peer(writer)
        try:
            _tune(writer)
            async with asyncio.timeout(HANDSHAKE_TIMEOUT_S):
                peer.seals = await self._authenticate(reader, writer)
            self.peers.add(peer)
            await self._serve(reader, peer)
        except (FrameError, TimeoutError, OSError, asyncio.IncompleteReadError) as error:
            if isinstance(error, FrameError):
                log.warning("rpc_frame_refused", extra={"reason": str(error)})
        except asyncio.CancelledError:
            pass  # the server stops; ending quietly keeps the stream protocol's callback from logging it
        finally:
            self._tasks.discard(task)
            self._connections -= 1
            was_peer = peer in self.peers
            self.peers.discard(peer)
            peer.close()
            if was_peer and self._on_closed is not None:
                self._on_closed(peer)

    async def _authenticate(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Seals:
        nonce = secrets.token_hex(32)
        writer.write(_encode({"nonce": nonce}))
        answer = await _read(reader, MAX_HANDSHAKE_FRAME)
        _check(self._secret, "client", nonce, answer)
        writer.write(_encode({"mac": _proof(self._secret, "server", _nonce(answer))}))
        return Seals(self._secret, nonce, _nonce(answer), server=True)

    async def _serve(self, reader: asyncio.StreamReader, peer: Peer) -> None:
        room = asyncio.Semaphore(MAX_IN_FLIGHT)
        while True:
            message = await _read(reader, MAX_FRAME, peer.seals)
            number, method, params = message.get("id"), message.get("method"), message.get("params", {})
            if type(number) is not int or not isinstance(method, str) or not isinstance(params, dict):
                raise FrameError("not a request")
            await room.acquire()
            task = asyncio.create_task(self._answer(number, method, params, peer))
            self._tasks.add(task)

            def done(finished: asyncio.Task[None]) -> None:
                self._tasks.discard(finished)
                room.release()

            task.add_done_callback(done)

    async def _answer(self, number: int, method: str, params: Params, peer: Peer) -> None:
        answer: Params
        try:
            answer = {"id": number, "result": await self._handler(method, params, peer)}
        except BedsideError as error:
            answer = {"id": number, "error": {"code": error.code, "message": error.detail}}
        except Exception:
            log.exception("rpc_handler_failed", extra={"method": method[:40]})
            answer = {"id": number, "error": {"code": "internal", "message": "internal error"}}
        peer._send(answer)


EventHandler = Callable[[str, Params], None]


class RpcClient:
    """The calling half. ``on_event`` runs on the loop for each event, in order; it must not block."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seals: Seals, on_event: EventHandler
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._seals = seals
        self._on_event = on_event
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Params]] = {}
        self._task: asyncio.Task[None] | None = None
        self.closed = asyncio.Event()
        """Set once the channel is gone, whoever closed it."""

    @classmethod
    async def connect(cls, host: str, port: int, secret: bytes, on_event: EventHandler) -> RpcClient:
        """Connect and prove each other. Raises RpcUnavailable."""
        if not secret:
            raise ValueError("a control channel needs a secret")
        writer: asyncio.StreamWriter | None = None
        try:
            async with asyncio.timeout(HANDSHAKE_TIMEOUT_S):
                reader, writer = await asyncio.open_connection(host, port, limit=MAX_FRAME)
                _tune(writer)
                challenge = _nonce(await _read(reader, MAX_HANDSHAKE_FRAME))
                own = secrets.token_hex(32)
                writer.write(_encode({"mac": _proof(secret, "client", challenge), "nonce": own}))
                _check(secret, "server", own, await _read(reader, MAX_HANDSHAKE_FRAME))
        except (OSError, TimeoutError, FrameError, asyncio.IncompleteReadError) as error:
            if writer is not None:
                writer.transport.abort()
            raise RpcUnavailable("The media server can't be reached") from error
        client = cls(reader, writer, Seals(secret, challenge, own, server=False), on_event)
        client._task = asyncio.create_task(client._listen())
        return client

    async def call(self, method: str, params: Params, timeout_s: float = CALL_TIMEOUT_S) -> Params:
        """Ask and wait for the result. Raises RpcRefused (with the peer's code) or RpcUnavailable."""
        if self.closed.is_set():
            raise RpcUnavailable("The media server can't be reached")
        number = next(self._numbers)
        future: asyncio.Future[Params] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            self._writer.write(_encode({"id": number, "method": method, "params": params}, self._seals))
            async with asyncio.timeout(timeout_s):
                return await future
        except TimeoutError:
            raise RpcUnavailable("The media server did not answer in time") from None
        finally:
            self._waiting.pop(number, None)

    async def close(self) -> None:
        """Close the channel; waiting calls fail with RpcUnavailable."""
        if self._task is not None:
            await cancel_all([self._task])

    async def _listen(self) -> None:
        try:
            while True:
                self._take(await _read(self._reader, MAX_FRAME, self._seals))
        except (OSError, FrameError, asyncio.IncompleteReadError):
            pass
        finally:
            self.closed.set()
            self._writer.transport.abort()
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(RpcUnavailable("The media server can't be reached"))

    def _take(self, message: Params) -> None:
        name = message.get("event")
        if isinstance(name, str):
            params = message.get("params")
            try:
                self._on_event(name, params if isinstance(params, dict) else {})
            except Exception:
                log.exception("rpc_event_handler_failed", extra={"event_name": name[:40]})
            return
        number = message.get("id")
        future = self._waiting.get(number) if type(number) is int else None
        if future is None or future.done():
            return  # an answer after its call timed out
        error = message.get("error")
        if isinstance(error, dict):
            future.set_exception(
                RpcRefused(str(error.get("code", "internal"))[:64], str(error.get("message", ""))[:500])
            )
        else:
            result = message.get("result")
            future.set_result(result if isinstance(result, dict) else {})
