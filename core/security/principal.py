"""Who acts: one person in one role."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args
from uuid import UUID

# ``enrolling``: signed in, but without the second factor that the wanted role needs. No rule lets it do anything.
Role = Literal[
    "anonymous", "patient", "practitioner", "interpreter", "guest", "desk", "admin", "auditor", "system", "enrolling"
]
ROLES: frozenset[str] = frozenset(get_args(Role))


@dataclass(frozen=True, slots=True)
class Principal:
    """The acting person. ``role`` is the one acted in; ``roles`` are all the person holds.

    A person's id is also their patient id and practitioner id.
    """

    person_id: UUID | None
    role: Role
    roles: frozenset[Role]
    session_id: UUID | None = None
    name: str = ""
    authenticated_at: datetime | None = None  # when they last proved who they are
    methods: frozenset[str] = frozenset()  # by what (RFC 8176): pwd, otp, hwk, fed

    @property
    def id(self) -> UUID:
        """The person's id; only for routes that need sign-in."""
        assert self.person_id is not None, "anonymous has no id"
        return self.person_id


ANONYMOUS = Principal(person_id=None, role="anonymous", roles=frozenset({"anonymous"}))
SYSTEM = Principal(person_id=None, role="system", roles=frozenset({"system"}))
