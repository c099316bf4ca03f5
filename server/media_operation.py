"""The operator's commands for media workers: which there are, all of this machine's, and one that has to go."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import click
from redis.asyncio import Redis
from redis.exceptions import RedisError

from core.migrations import ROOT
from core.rpc import RpcClient, RpcRefused, RpcUnavailable
from core.settings import Settings
from server.attach import attach
from server.command import Stop, asynchronous, read_settings, require
from server.processes import Child, keep_running

LOOK_S = 0.5
DEFAULT_LIMIT_S = 600


@asynccontextmanager
async def _registry(settings: Settings) -> AsyncIterator[Redis]:
    redis: Redis = Redis.from_url(settings.redis.url.get_secret_value())
    try:
        yield redis
    except (OSError, RedisError) as error:
        raise Stop(f"Redis can't be reached: {type(error).__name__}") from None
    finally:
        await redis.aclose()


async def _workers(redis: Redis) -> list[dict[str, Any]]:
    """The registered workers, by id."""
    members: Any = redis.smembers("media:workers")
    keys = [f"media:worker:{raw.decode()}" for raw in await members]
    rows = await redis.mget(keys) if keys else []
    return sorted((json.loads(raw) for raw in rows if raw is not None), key=lambda each: str(each["id"]))


def _operated() -> Settings:
    settings = attach(read_settings())
    require(settings, "redis.url", "media.control_secret")
    return settings


@click.group()
def media() -> None:
    """Media workers."""


@media.command("list")
@asynchronous
async def list_workers() -> None:
    """Every registered worker, on whichever machine."""
    async with _registry(_operated()) as redis:
        workers = await _workers(redis)
    for each in workers:
        state = "draining" if each.get("draining") else "ready"
        click.echo(
            f"{each['id']}  {state}  zone {each.get('zone') or '-'}  rooms {each['rooms']}"
            f"  people {each['participants']} of {each['capacity']}  packets/s {each.get('packets', 0)}"
            f"  cpu {each['load']:.0%}"
        )
    if not workers:
        raise Stop("no media worker is registered")


@media.command()
@click.argument("worker")
@click.option(
    "--limit", "limit_s", default=DEFAULT_LIMIT_S, show_default=True, help="Seconds after which it ends in any case."
)
@asynchronous
async def drain(worker: str, limit_s: int) -> None:
    """Let WORKER (an id of `bedside media list`) take no new rooms, hand over those it has, and end."""
    settings = _operated()
    async with _registry(settings) as redis:
        found = next((each for each in await _workers(redis) if each["id"] == worker), None)
        if found is None:
            raise Stop(f"no worker {worker} is registered")
        secret = settings.media.control_secret.get_secret_value().encode()
        try:
            client = await RpcClient.connect(
                found["control_host"], found["control_port"], secret, lambda name, params: None
            )
            await client.call("drain", {"limit_s": limit_s})
            rooms = -1
            while not client.closed.is_set():
                now = next((each for each in await _workers(redis) if each["boot"] == found["boot"]), None)
                if now is not None and now["rooms"] != rooms:
                    rooms = now["rooms"]
                    click.echo(f"{rooms} rooms")
                with suppress(TimeoutError):
                    await asyncio.wait_for(client.closed.wait(), LOOK_S)
            await client.close()
        except RpcRefused as error:
            raise Stop(f"{worker} refused: {error.detail}") from None
        except RpcUnavailable:
            raise Stop(f"{worker} can't be reached at {found['control_host']}:{found['control_port']}") from None
    click.echo(f"{worker} has ended")


@media.command("run")
@asynchronous
async def run_workers() -> None:
    """Run this machine's workers: one a core, or as many as media.workers says. Each is started again when it dies."""
    settings = read_settings()
    require(settings, "redis.url", "media.control_secret")
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    workers = [
        Child(
            f"media worker {index}",
            [sys.executable, "-m", "server", "media-worker", "--index", str(index)],
            settings.data_dir / "logs" / f"media-worker-{index}.log",
            cwd=ROOT,
            environment=os.environ,
        )
        for index in range(settings.media.workers or os.cpu_count() or 1)
    ]
    try:
        for each in workers:
            await each.start()
        keeper = asyncio.create_task(keep_running(workers, click.echo))
        stop = asyncio.create_task(stopping.wait())
        await asyncio.wait({keeper, stop}, return_when=asyncio.FIRST_COMPLETED)
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)
        stop.cancel()
    finally:
        # All at once: each hands its rooms over, to those of other machines.
        await asyncio.gather(*(each.stop() for each in workers))
