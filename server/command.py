"""What every command is made of: settings, an event loop, and one line for what can't be done."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Coroutine
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

import click
import uvloop

from core.migrations import MigrationError
from core.settings import Settings, SettingsError, load
from server.processes import ProcessError

P = ParamSpec("P")


class Stop(click.ClickException):
    """One line on standard error, exit code 2."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        click.echo(f"bedside: {self.message}", err=True)


def read_settings() -> Settings:
    """From BEDSIDE_CONFIG, else bedside.toml where there is one, and the environment."""
    named = os.environ.get("BEDSIDE_CONFIG")
    usual = Path("bedside.toml")
    try:
        return load(Path(named) if named else usual if usual.exists() else None)
    except SettingsError as error:
        raise Stop(str(error)) from None


def asynchronous(command: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run a command on an event loop; expected failures become one line."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            uvloop.run(command(*args, **kwargs))
        except (ProcessError, MigrationError, SettingsError) as error:
            raise Stop(str(error)) from None
        except KeyboardInterrupt:
            sys.exit(130)

    return run


def require(settings: Settings, *names: str) -> None:
    """Refuse to start without what the named settings ("database.url") hold."""
    for name in names:
        section, field = name.split(".")
        value = getattr(getattr(settings, section), field)
        if not value.get_secret_value():
            raise Stop(f"setting {name} is missing (BEDSIDE_{section.upper()}_{field.upper()})")
