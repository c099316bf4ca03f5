"""Lets a command of the operator reach a demonstration that runs in the same data folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import SecretStr

from core.settings import Settings
from server.embedded import EmbeddedPostgres, EmbeddedValkey


def attach(settings: Settings) -> Settings:
    """Settings with the addresses and secrets of the data folder's embedded engines, where none are given.

    Nothing is started and nothing made; without a demonstration in the folder the settings come back as they are.
    """
    secrets = settings.data_dir.absolute() / "secrets"
    if settings.database.url.get_secret_value() or not (secrets / "role_secret").exists():
        return settings
    role_secret = _read(secrets / "role_secret")
    given: dict[str, dict[str, Any]] = {
        "database": {
            "url": EmbeddedPostgres(settings.data_dir, role_secret=role_secret).url,
            "role_secret": role_secret,
        },
        "redis": {"url": EmbeddedValkey(settings.data_dir).url},
        "security": {"master_key": _read(secrets / "master_key")},
        "media": {"control_secret": _read(secrets / "media_control_secret")},
    }
    changed = {
        section: getattr(settings, section).model_copy(
            update={
                name: SecretStr(value)
                for name, value in values.items()
                if not getattr(getattr(settings, section), name).get_secret_value()
            }
        )
        for section, values in given.items()
    }
    mode = "demo" if settings.mode == "development" else settings.mode
    return settings.model_copy(update={**changed, "mode": mode})


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8").strip()
