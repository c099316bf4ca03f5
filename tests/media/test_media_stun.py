"""ICE checks: proven ones are answered, all others are told apart from noise without a word."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aioice import stun as reference
from hypothesis import given
from hypothesis import strategies as st

from media import stun
from media.connection import Connection, Owner
from media.dtls import Certificate
from media.transport import UdpTransport

PASSWORD = b"a-password-of-the-server"
TRANSACTION = bytes(range(12))


def request(nominate: bool = True) -> bytes:
    return stun.binding_request(TRANSACTION, "client", "server", PASSWORD, nominate=nominate)


def test_a_check_of_another_implementation_is_proven_and_answered() -> None:
    message = reference.Message(reference.Method.BINDING, reference.Class.REQUEST, TRANSACTION)
    message.attributes["USERNAME"] = "server:client"
    message.attributes["PRIORITY"] = 1
    message.attributes["ICE-CONTROLLING"] = 7
    message.attributes["USE-CANDIDATE"] = None
    message.add_message_integrity(PASSWORD)
    check = stun.parse_check(bytes(message))
    assert check is not None
    assert (check.local_ufrag, check.remote_ufrag, check.use_candidate, check.controlled) == (
        "server",
        "client",
        True,
        False,
    )
    assert stun.authentic(check, PASSWORD)
    assert not stun.authentic(check, b"another")
    for host in ("192.0.2.7", "2001:db8::7"):
        answer = reference.parse_message(stun.success(check, PASSWORD, host, 4321))
        assert answer.check_message_integrity(PASSWORD)
        assert answer.attributes["XOR-MAPPED-ADDRESS"] == (host, 4321)
    conflict = reference.parse_message(stun.role_conflict(check, PASSWORD))
    assert conflict.check_message_integrity(PASSWORD)
    assert conflict.attributes["ERROR-CODE"][0] == 487


@given(st.integers(0, 200), st.integers(1, 255))
def test_one_changed_byte_is_never_proven(position: int, change: int) -> None:
    data = bytearray(request())
    position %= len(data)
    data[position] ^= change
    check = stun.parse_check(bytes(data))
    if check is not None and position >= check.integrity_at + 24:
        return  # a FINGERPRINT that became another attribute: what follows the proof is ignored (RFC 8489, 14.5)
    assert check is None or not stun.authentic(check, PASSWORD)


@given(st.integers(0, 140))
def test_a_truncated_check_is_no_check(size: int) -> None:
    data = request()
    if size < len(data):
        assert stun.parse_check(data[:size]) is None


@given(st.binary(max_size=600))
def test_noise_is_no_check(noise: bytes) -> None:
    for data in (noise, b"\x00\x01" + (len(noise) & 0xFFFC).to_bytes(2, "big") + stun.MAGIC_BYTES + noise):
        check = stun.parse_check(data)
        assert check is None or not stun.authentic(check, PASSWORD)


def test_use_candidate_behind_the_proof_is_ignored() -> None:
    data = request(nominate=False)[:-8]  # without fingerprint
    data += b"\x00\x25\x00\x00"
    data = data[:2] + (len(data) - 20).to_bytes(2, "big") + data[4:]
    check = stun.parse_check(data)
    assert check is not None
    assert not check.use_candidate


def test_a_transaction_counts_once_while_it_is_remembered() -> None:
    seen = stun.Transactions()
    assert seen.fresh(b"\x01" * 12)
    assert not seen.fresh(b"\x01" * 12)
    assert seen.fresh(b"\x00" * 6 + b"\x02" * 6)
    assert seen.fresh(b"\x02" * 6 + b"\x00" * 6)
    # Bytes that are there only across the border of two ids are no id.
    assert seen.fresh(b"\x03" * 12)
    assert seen.fresh(b"\x00" * 6 + b"\x03" * 6)
    ids = [number.to_bytes(12, "big") for number in range(10_000, 10_000 + stun.Transactions.KEPT)]
    assert all(seen.fresh(one) for one in ids)
    assert not any(seen.fresh(one) for one in ids)
    assert seen.fresh(b"\x01" * 12), "what is older than the memory is forgotten"


class Peer:
    """Checks of one peer, from several addresses."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._number = 0

    def check(self, port: int, now: float, *, nominate: bool, priority: int = 1) -> None:
        self._number += 1
        credentials = self._connection.credentials
        transaction = self._number.to_bytes(12)
        data = stun.binding_request(
            transaction, "me", credentials.ufrag, credentials.secret, nominate=nominate, priority=priority
        )
        parsed = stun.parse_check(data)
        assert parsed is not None
        assert self._connection.check(parsed, ("127.0.0.1", port), now) is not None


@pytest.fixture
async def connection() -> AsyncIterator[Connection]:
    transport = UdpTransport(Certificate(), lambda: 0.0)
    transport.open("127.0.0.1", 0)
    yield Connection(transport, 0.0)
    await transport.close()


async def test_a_peer_that_nominates_all_it_tries_is_where_it_prefers_to_be(connection: Connection) -> None:
    """As Firefox does: its check over TCP arrives after the one over UDP, and it stays with UDP."""
    peer = Peer(connection)
    peer.check(1, 0.0, nominate=True, priority=20)
    peer.check(2, 0.1, nominate=True, priority=10)
    assert connection.address == ("127.0.0.1", 1)
    peer.check(3, 0.2, nominate=True, priority=30)
    assert connection.address == ("127.0.0.1", 3)
    # Consent goes on without a nomination; what it gave up loses it.
    peer.check(3, 5.0, nominate=False)
    peer.check(1, 12.0, nominate=False)
    assert connection.address == ("127.0.0.1", 3)
    peer.check(1, 13.0, nominate=False)
    assert connection.address == ("127.0.0.1", 1)
    # Another network: new credentials, and another order of what is good.
    connection.renew_credentials()
    peer.check(4, 14.0, nominate=True, priority=5)
    assert connection.address == ("127.0.0.1", 4)


async def test_a_peer_that_nominates_one_means_it(connection: Connection) -> None:
    """As Chromium does: it may go over to a worse pair that works."""
    peer = Peer(connection)
    peer.check(1, 0.0, nominate=False, priority=20)
    assert connection.address == ("127.0.0.1", 1), "DTLS need not wait for the nomination"
    peer.check(2, 0.1, nominate=False, priority=30)
    assert connection.address == ("127.0.0.1", 1)
    peer.check(1, 0.2, nominate=True, priority=20)
    peer.check(2, 0.3, nominate=True, priority=10)
    assert connection.address == ("127.0.0.1", 2)


async def test_only_a_new_transaction_is_consent() -> None:
    states: list[str] = []
    transport = UdpTransport(Certificate(), lambda: 0.0)
    transport.open("127.0.0.1", 0)
    connection = Connection(transport, 0.0)
    connection.owner = Owner(lambda data, now: None, lambda parts, now: None, states.append)
    here, elsewhere = ("127.0.0.1", 1), ("127.0.0.1", 2)

    def check(number: int, address: tuple[str, int], now: float) -> bytes | None:
        credentials = connection.credentials
        data = stun.binding_request(
            bytes(11) + bytes((number,)), "me", credentials.ufrag, credentials.secret, nominate=True
        )
        parsed = stun.parse_check(data)
        assert parsed is not None
        return connection.check(parsed, address, now)

    assert check(1, here, 0.0)
    assert check(1, here, 20.0), "its answer may have been lost"
    assert check(1, elsewhere, 21.0) is None
    assert connection.address == here
    assert connection.heard_at == 0.0
    assert transport.drops["stun_replayed"] == 1
    assert check(2, here, 25.0)
    connection.tick(54.0)
    assert states == []
    assert check(1, here, 54.5)
    assert check(2, here, 54.9)
    connection.tick(55.1)
    assert states == ["failed", "closed"] or states == ["failed"]
    await transport.close()
