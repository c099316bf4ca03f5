"""The command ``bedside``. What can't be done ends with one line and exit code 2."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import click

from core.migrations import migrate
from core.security.master import MasterKey
from server.attach import attach
from server.command import Stop, asynchronous, read_settings, require
from server.media_operation import media
from server.modules import ROLES, WITH_SCHEMA
from server.operation import events, loadtest, user


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Bedside: video visits between patients and clinicians."""


@main.command()
@click.option("--lan", is_flag=True, help="Serve the local network over TLS with a self-made certificate.")
@asynchronous
async def demo(lan: bool) -> None:
    """Run everything on this machine, with embedded engines and a demonstration clinic."""
    from server.supervisor import run_demo

    await run_demo(read_settings(), lan=lan)


@main.command()
@click.option("--role", "roles", multiple=True, type=click.Choice(ROLES), help="Only these roles (default: all).")
@asynchronous
async def serve(roles: tuple[str, ...]) -> None:
    """Run the server in all its roles but media, or in those named."""
    from server.serving import run_server

    settings = read_settings()
    require(settings, "database.url", "database.role_secret", "redis.url", "security.master_key")
    if "signaling" in roles or not roles:
        require(settings, "media.control_secret")
    await run_server(settings, frozenset(roles or ROLES))


@main.command("media-worker")
@click.option("--index", default=0, show_default=True, help="Which worker of this machine: moves its port.")
@asynchronous
async def media_worker(index: int) -> None:
    """Run one media worker."""
    from media.worker import run

    settings = read_settings()
    require(settings, "redis.url", "media.control_secret")
    await run(settings, index)


@main.command("mail-catcher")
@asynchronous
async def mail_catcher() -> None:
    """Keep every mail that is sent, for the demonstration's page Mail."""
    from server.mailcatcher import run_catcher

    settings = read_settings()
    if settings.mode == "production":
        raise Stop("the mail catcher is refused in production mode")
    await run_catcher(settings)


@main.command("migrate")
@asynchronous
async def migrate_command() -> None:
    """Bring the database up to date. Safe to run twice, and by two at once."""
    settings = read_settings()
    require(settings, "database.url", "database.role_secret")
    url, secret = settings.database.url.get_secret_value(), settings.database.role_secret.get_secret_value()
    for applied in await migrate(url, WITH_SCHEMA, secret):
        click.echo(applied)


@main.command()
def openapi() -> None:
    """Print the OpenAPI document of the whole HTTP API."""
    from server.serving import describe_api

    click.echo(json.dumps(asyncio.run(describe_api()), indent=2))


@main.group()
def audit() -> None:
    """The audit trail."""


@audit.command("checkpoint")
@asynchronous
async def audit_checkpoint() -> None:
    """Print the newest signed checkpoint, to be kept where the database's administrators do not reach."""
    from server.audit import newest_checkpoint

    settings = attach(read_settings())
    require(settings, "database.url", "database.role_secret", "security.master_key")
    click.echo(await newest_checkpoint(settings))


@audit.command("verify")
@click.option("--checkpoint", type=click.Path(path_type=Path), help="A checkpoint that was kept elsewhere.")
@asynchronous
async def audit_verify(checkpoint: Path | None) -> None:
    """Follow the trail's hash chain; exit code 1 and the first broken row when something was changed.

    Says too which rows are not sealed yet. With a kept checkpoint it notices a trail that was cut off at its end.
    """
    from server.audit import verify_trail

    settings = attach(read_settings())
    require(settings, "database.url", "database.role_secret", "security.master_key")
    lines, intact = await verify_trail(settings, checkpoint)
    for line in lines:
        click.echo(line)
    if not intact:
        sys.exit(1)


@audit.command("verify-archive")
@click.argument("archive", type=click.Path(path_type=Path))
@asynchronous
async def audit_verify_archive(archive: Path) -> None:
    """Follow the chain in an archive of old rows, and compare it with the trail's signed cut; exit code 1 if not."""
    from server.audit import verify_archive

    settings = attach(read_settings())
    require(settings, "database.url", "database.role_secret", "security.master_key")
    lines, good = await verify_archive(settings, archive)
    for line in lines:
        click.echo(line)
    if not good:
        sys.exit(1)


@main.command("turn-config")
@click.option("--listen", multiple=True, help="Address coturn listens on (default: all).")
@click.option("--external", default="", help="Public address behind NAT: PUBLIC or PUBLIC/PRIVATE.")
@click.option("--without-secret", is_flag=True, help="Leave the secret to coturn's command line.")
def turn_config_command(listen: tuple[str, ...], external: str, without_secret: bool) -> None:
    """Print coturn's configuration: it relays to media workers and to nothing else. It holds the relay's secret."""
    from server.turn import NotReachableByTurn, turn_config

    try:
        click.echo(
            turn_config(read_settings().media, listen=listen, external=external, secret=not without_secret), nl=False
        )
    except NotReachableByTurn as error:
        raise Stop(str(error)) from None


@main.command("make-key")
def make_key() -> None:
    """Print a new master key."""
    click.echo(MasterKey.generate())


@main.command()
@asynchronous
async def health() -> None:
    """Ask the server on this machine whether it is ready; exit code 1 when it is not."""
    from server.serving import is_ready

    if not await is_ready(read_settings()):
        sys.exit(1)


for group in (events, media, user, loadtest):
    main.add_command(group)
