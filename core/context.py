"""What the composition root hands to every module's ``setup``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import socketio
from redis.asyncio import Redis

from core.clock import Clock
from core.database import Database
from core.events import Subscriptions
from core.http.routes import Routes
from core.jobs import Jobs
from core.security.policy import Policy
from core.security.tokens import Tokens
from core.security.vault import EncryptedFiles, Vault
from core.settings import Settings

Action = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Context:
    settings: Settings
    clock: Clock
    database: Callable[[str], Database]  # by module name
    redis: Redis
    realtime: socketio.AsyncServer
    tokens: Tokens
    policy: Policy
    vault: Vault
    files: EncryptedFiles
    subscriptions: Subscriptions
    jobs: Jobs
    routes: list[Routes] = field(default_factory=list)
    starting: list[Action] = field(default_factory=list)  # run in order once everything is connected
    stopping: list[Action] = field(default_factory=list)  # run in reverse order
