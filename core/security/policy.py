"""The one access decision. Default deny: what no rule allows is refused.

Each module adds its rules at setup; together they are one table, evaluated here for HTTP and Socket.IO alike.
A rule says: this role, standing in one of these relations to the resource, may do this action.

It is asked twice. The edge asks ``admit`` before it reads a request or an event: does the role have any row for this
action? Every route names its action; a Socket.IO event's name is one. The service then asks ``require`` with the
relation it has found.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from core.errors import Forbidden
from core.security.principal import ROLES, Principal, Role

# How the acting person stands to the resource; "any" is held by everybody.
#   self: it is about them (the patient);  own: it is theirs by work (the appointment's practitioner)
#   care: a care relation to the patient;   member: takes part in the visit
#   proxy_book, proxy_attend, proxy_read: has recorded authority, in force now, to arrange and pay the patient's visits,
#     to be in them for the patient, to read the patient's record and speak for them about it
#   break_glass: opened the patient's record in an emergency, with a written reason, for a while
Relation = Literal["any", "self", "own", "care", "member", "proxy_book", "proxy_attend", "proxy_read", "break_glass"]

PUBLIC = "public"  # open to everybody: what needs no account, or begins one
OWN_ACCOUNT = "account.own"  # about oneself: there is no other person to name
# Those with an account of their own; interpreters and guests come by a link.
ACCOUNTS: tuple[Role, ...] = ("patient", "practitioner", "desk", "admin", "auditor")


class Policy:
    """A table of (role, action) → relations that suffice."""

    def __init__(self) -> None:
        self._table: dict[tuple[str, str], frozenset[str]] = {}
        for role in sorted(ROLES):
            self._table[(role, PUBLIC)] = frozenset({"any"})
        self.allow(OWN_ACCOUNT, *ACCOUNTS, relation="self")

    def allow(self, action: str, *roles: Role, relation: Relation | Iterable[Relation] = "any") -> None:
        """Let each of ``roles`` do ``action`` ("appointment.cancel") when in one of the relations."""
        relations = {relation} if isinstance(relation, str) else set(relation)
        for role in roles:
            key = (role, action)
            self._table[key] = self._table.get(key, frozenset()) | relations

    def admit(self, role: str, action: str) -> None:
        """The edge's question, in whatever relation: raises Forbidden when the role has no row for the action."""
        if (role, action) not in self._table:
            raise Forbidden()

    def allows(self, principal: Principal, action: str, relations: Iterable[Relation] = ()) -> bool:
        """Pure: True if the table lets this principal, in these relations, do the action."""
        sufficient = self._table.get((principal.role, action))
        if sufficient is None:
            return False
        return "any" in sufficient or not sufficient.isdisjoint(relations)

    def require(
        self,
        principal: Principal,
        action: str,
        relations: Iterable[Relation] = (),
        *,
        error: type[Forbidden] = Forbidden,
    ) -> None:
        """Raise ``error`` (403) unless allowed."""
        if not self.allows(principal, action, relations):
            raise error()

    def rows(self) -> list[tuple[str, str, frozenset[str]]]:
        """The whole table as (role, action, relations), for documentation and tests."""
        return sorted((role, action, relations) for (role, action), relations in self._table.items())
