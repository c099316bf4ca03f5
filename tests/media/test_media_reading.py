"""Few datagrams are read as they come, many by a timer; nothing is lost when that changes."""

from __future__ import annotations

import asyncio
import socket
import time

from media.dtls import Certificate
from media.transport import DENSE_PER_S, RATE_WINDOW_S, UdpTransport


async def test_dense_traffic_is_read_by_a_timer_and_sparse_as_it_comes(media_path: str) -> None:
    transport = UdpTransport(Certificate(), time.monotonic, media_path)
    transport.open("127.0.0.1", 0)
    sent = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", transport.port))

        async def arrived(reason: str) -> None:
            async with asyncio.timeout(10):
                while transport.drops[reason] < sent:
                    await asyncio.sleep(0.001)

        async with asyncio.timeout(20):
            while not transport.dense:
                for _ in range(int(DENSE_PER_S * RATE_WINDOW_S / 10)):
                    client.send(b"\xff neither")
                    sent += 1
                await asyncio.sleep(RATE_WINDOW_S / 20)
            client.send(b"\xff neither")
            sent += 1
            await arrived("unknown")
            while transport.dense:
                await asyncio.sleep(0.01)
        client.send(b"\xff neither")
        sent += 1
        await arrived("unknown")
    await transport.close()
