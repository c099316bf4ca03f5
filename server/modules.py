"""The modules, in the order in which they are set up and migrated."""

from __future__ import annotations

MODULES = (
    "identity",
    "scheduling",
    "consultations",
    "records",
    "billing",
    "notifications",
    "compliance",
    "analytics",
    "signaling",
)
# Signaling keeps nothing durable.
WITH_SCHEMA = tuple(module for module in MODULES if module != "signaling")
ROLES = ("gateway", "api", "signaling", "worker")
