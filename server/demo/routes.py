"""``GET /api/v1/demo``: whom a visitor of the demonstration may sign in as."""

from __future__ import annotations

from core.http.routes import Call, Routes, Wire
from core.security.principal import Role
from server.demo.people import PASSWORD, SIGN_INS


class DemoAccount(Wire):
    role: Role
    name: str
    email: str
    password: str


class Demo(Wire):
    accounts: list[DemoAccount]


def demo_routes() -> Routes:
    """Added in the demonstration only."""
    routes = Routes("demonstration")
    answer = Demo(
        accounts=[
            DemoAccount(role=each.roles[0], name=each.name, email=each.email, password=PASSWORD) for each in SIGN_INS
        ]
    )

    @routes.get("/demo", action="public", returns=Demo, auth="none")
    async def demo(call: Call[None, None]) -> Demo:
        """The demonstration's sign-ins."""
        return answer

    return routes
