"""The live visit's Socket.IO edge. It keeps nothing durable: its state is in Redis, so that any process can go on."""

from __future__ import annotations

from core.context import Context
from signaling import access
from signaling.live import Live
from signaling.ports import Chat, DropInLines, Help, Visits


def setup(context: Context, *, visits: Visits, chat: Chat, help: Help, lines: DropInLines, serves: bool) -> Live:
    """Registers ``/consultation``, ``/practice``, ``/queue`` and ``/probe`` and starts with the context.

    Without ``serves`` the process carries no connections: it only tells the live visit what happened.
    """
    access.allow(context.policy)
    live = Live(context, visits=visits, chat=chat, help=help, lines=lines)
    if serves:
        context.starting.append(live.start)
    context.stopping.append(live.stop)
    return live
