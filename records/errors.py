"""What can go wrong with records, as people see it."""

from __future__ import annotations

from core.errors import Forbidden


class NoCareRelation(Forbidden):
    """A practitioner reads only records of those in their care."""

    code = "no_care_relation"
    title = "You have no care relation with this patient"
