"""The demonstration clinic: invented people, a history, and a visit that is open now.

``fill_once`` before a server starts, ``ensure_open_visit`` whenever it has, ``demo_routes`` for its sign-in page.
"""

from __future__ import annotations

from server.demo.clinic import ensure_open_visit
from server.demo.opening import fill_once
from server.demo.routes import demo_routes

__all__ = ["demo_routes", "ensure_open_visit", "fill_once"]
