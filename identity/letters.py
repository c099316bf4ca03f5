"""What a letter about an account needs beside its text."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AccountLetter:
    """``link`` may carry a one-time secret in its fragment. What is None is the person's own."""

    link: str
    email: str | None = None
    name: str | None = None  # of somebody without an account yet
    language: str | None = None
