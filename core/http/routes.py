"""Route tables. A route says what it takes, returns, may fail with and who may call it; the rest follows.

    routes = Routes("scheduling")

    @routes.post("/appointments", action="appointment.book", body=BookAppointment, returns=AppointmentView, status=201)
    async def book(call: Call[BookAppointment, None]) -> AppointmentView:
        return AppointmentView.of(await service.book(call.principal, call.body))

Body and query are validated strictly (unknown fields refused). The description is published as OpenAPI 3.1.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel

from core.errors import BedsideError, NotFound
from core.http.wire import AwareTime as AwareTime  # modules take these from here, beside the rest of a route
from core.http.wire import Moment as Moment
from core.http.wire import Wire as Wire
from core.security.principal import Principal

API_PREFIX = "/api/v1"

B = TypeVar("B")
Q = TypeVar("Q")

# ``enrolling``: as ``access``, and for those too who still have to set up the second factor that their role needs.
Auth = Literal["none", "access", "guest", "enrolling"]
# ``login``: per address and per ``email`` of the body; ``token``: per ``{token}`` of the path.
Limit = Literal["login", "token"]


class Page(Wire):
    """Base of lists: subclass with ``items: list[X]``."""

    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Call(Generic[B, Q]):
    """One request, parsed. ``principal`` is anonymous on routes with ``auth="none"``."""

    request: web.Request
    principal: Principal
    body: B
    query: Q
    now: datetime
    request_id: str

    def id(self, name: str = "id") -> UUID:
        """A UUID from the path; 404 when it is not one."""
        try:
            return UUID(self.request.match_info[name])
        except ValueError:
            raise NotFound() from None


@dataclass(frozen=True, slots=True)
class Answer:
    """A handler's answer where a bare model does not do: other status, headers, cookies, bytes."""

    body: BaseModel | bytes | str | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str | None = None
    set_cookies: Sequence[Mapping[str, Any]] = ()  # keyword arguments of aiohttp's set_cookie
    delete_cookies: Sequence[Mapping[str, Any]] = ()


RouteHandler = Callable[[Call[Any, Any]], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    path: str
    action: str
    handler: RouteHandler
    module: str
    body: type[BaseModel] | None
    query: type[BaseModel] | None
    returns: type[BaseModel] | None
    status: int
    auth: Auth
    errors: tuple[type[BedsideError], ...]
    idempotency: Literal["optional", "required", "none"]
    max_body_bytes: int | None
    content_type: str  # of the answer
    upload: bool  # the body is multipart/form-data, read by the handler itself
    limit: Limit | None  # a stricter one on top
    recent: bool  # a sensitive act: the person has proved lately who they are
    summary: str
    description: str


class Routes:
    """A module's routes, under ``/api/v1`` unless ``prefix`` says otherwise."""

    def __init__(self, module: str, prefix: str = API_PREFIX) -> None:
        self.module = module
        self.prefix = prefix
        self.all: list[Route] = []

    def add(
        self,
        method: str,
        path: str,
        *,
        action: str,
        body: type[BaseModel] | None = None,
        query: type[BaseModel] | None = None,
        returns: type[BaseModel] | None = None,
        status: int = 200,
        auth: Auth = "access",
        errors: tuple[type[BedsideError], ...] = (),
        idempotency: Literal["optional", "required", "none"] | None = None,
        max_body_bytes: int | None = None,
        content_type: str = "application/json",
        upload: bool = False,
        limit: Limit | None = None,
        recent: bool = False,
    ) -> Callable[[RouteHandler], RouteHandler]:
        """Register a handler; the first line of its docstring is the summary in OpenAPI.

        ``action`` is what the edge asks the policy table before anything else: a role without a row for it is refused.
        """
        unsafe = method not in ("GET", "HEAD")

        def register(handler: RouteHandler) -> RouteHandler:
            summary, _, description = (handler.__doc__ or handler.__name__.replace("_", " ")).strip().partition("\n")
            self.all.append(
                Route(
                    method=method,
                    path=self.prefix + path,
                    action=action,
                    handler=handler,
                    module=self.module,
                    body=body,
                    query=query,
                    returns=returns,
                    status=status,
                    auth=auth,
                    errors=errors,
                    idempotency=idempotency or ("optional" if unsafe and auth != "none" else "none"),
                    max_body_bytes=max_body_bytes,
                    content_type=content_type,
                    upload=upload,
                    limit=limit,
                    recent=recent,
                    summary=summary,
                    description=description.strip(),
                )
            )
            return handler

        return register

    def get(self, path: str, *, action: str, **options: Any) -> Callable[[RouteHandler], RouteHandler]:
        return self.add("GET", path, action=action, **options)

    def post(self, path: str, *, action: str, **options: Any) -> Callable[[RouteHandler], RouteHandler]:
        return self.add("POST", path, action=action, **options)

    def put(self, path: str, *, action: str, **options: Any) -> Callable[[RouteHandler], RouteHandler]:
        return self.add("PUT", path, action=action, **options)

    def patch(self, path: str, *, action: str, **options: Any) -> Callable[[RouteHandler], RouteHandler]:
        return self.add("PATCH", path, action=action, **options)

    def delete(self, path: str, *, action: str, **options: Any) -> Callable[[RouteHandler], RouteHandler]:
        return self.add("DELETE", path, action=action, **options)
