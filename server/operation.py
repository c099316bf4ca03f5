"""The operator's commands, over a server that may be running: facts, people, load tests.

Without addresses in the settings they reach the demonstration of the data folder.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import click
import structlog
from redis.exceptions import RedisError

from core.context import Context
from core.errors import BedsideError
from core.parking import Parking, TroubledFact
from core.security.principal import Role
from core.settings import Settings
from core.telemetry import configure_logging
from server.attach import attach
from server.command import Stop, asynchronous, read_settings, require
from server.services import Modules


def operating_settings() -> Settings:
    """The settings of the server that is operated on; complains in one line when there is none."""
    settings = attach(read_settings())
    require(settings, "database.url", "database.role_secret", "redis.url", "security.master_key")
    return settings


@asynccontextmanager
async def operating() -> AsyncIterator[tuple[Context, Modules]]:
    """The modules' services over the server's engines, in no role."""
    from server.serving import open_server

    settings = operating_settings()
    configure_logging(settings.model_copy(update={"log_level": "error"}), "operator")
    structlog.contextvars.clear_contextvars()
    try:
        async with open_server(settings, frozenset()) as (context, modules, _):
            yield context, modules
    except BedsideError as error:
        raise Stop(error.detail) from None
    except (OSError, RedisError) as error:
        raise Stop(f"the server's engines can't be reached: {type(error).__name__}") from None


# --- facts --------------------------------------------------------------------------------------------------------


@click.group()
def events() -> None:
    """Facts that could not be handled."""


@events.command()
@asynchronous
async def parked() -> None:
    """List facts that wait to be tried again, and those given up."""
    async with operating() as (context, _):
        parking = Parking(context.database("core"))
        waiting, dead = await parking.parked(), await parking.dead()
    for title, facts in (("waiting", waiting), ("given up", dead)):
        click.echo(f"{title}: {len(facts)}")
        for fact in facts:
            click.echo(f"  {_line(fact)}")


@events.command()
@click.argument("fact_id", type=click.UUID, required=False)
@click.option("--group", help="Only for this module.")
@asynchronous
async def retry(fact_id: UUID | None, group: str | None) -> None:
    """Try parked and given-up facts again now: all of them, or one."""
    async with operating() as (context, _):
        count = await Parking(context.database("core")).retry(fact_id, group)
    click.echo(f"{count} due now")


def _line(fact: TroubledFact) -> str:
    since = fact.since.isoformat(timespec="seconds")
    return f"{fact.fact_id} {fact.name} for {fact.group}, since {since}, tried {fact.attempts}×: {fact.last_error}"


# --- people -------------------------------------------------------------------------------------------------------


@click.group()
def user() -> None:
    """People with an account."""


@user.command("create-admin")
@click.option("--email", required=True)
@click.option("--name", required=True)
@click.option(
    "--password",
    prompt=True,
    hide_input=True,
    confirmation_prompt=True,
    envvar="BEDSIDE_NEW_PASSWORD",
    show_envvar=True,
)
@asynchronous
async def create_admin(email: str, name: str, password: str) -> None:
    """Make the first administrator, whose address counts as verified."""
    from identity.passwords import weakness
    from identity.people import is_email

    if not is_email(email):
        raise Stop("that is no email address")
    weak = weakness(password, email, name)
    if weak is not None:
        raise Stop(f"the password {weak}" if weak[:1].islower() else weak)
    roles: tuple[Role, ...] = ("admin",)
    async with operating() as (_, modules):
        person = await modules.identity.accounts.create_person(email=email, password=password, name=name, roles=roles)
    click.echo(f"{person.id} {person.email}")


# --- load tests ---------------------------------------------------------------------------------------------------


@click.group()
def loadtest() -> None:
    """What load tests need."""


@loadtest.command()
@click.option("--calls", type=click.IntRange(1, 1000), default=1, show_default=True)
@click.option("--people", type=click.IntRange(2, 12), default=2, show_default=True, help="In each call.")
@click.option("--waiting", is_flag=True, help="Nobody is let in yet.")
@asynchronous
async def provision(calls: int, people: int, waiting: bool) -> None:
    """Make people with visits that are open now, and print their visit tokens as JSON."""
    from server.provision import Provisioner

    if operating_settings().mode == "production":
        raise Stop("load tests are refused in production mode")
    async with operating() as (context, modules):
        made = await Provisioner(context, modules).calls(calls, people, waiting=waiting)
    click.echo(json.dumps([each.as_json() for each in made], indent=2))
