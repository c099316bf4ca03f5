"""What the security documents name as proof is there."""

from __future__ import annotations

import re

import pytest

from core.migrations import ROOT


@pytest.mark.parametrize("name", ["asvs.md", "security.md"])
def test_tests_that_are_named_exist(name: str) -> None:
    named = set(re.findall(r"test_\w+\.py", (ROOT / "docs" / name).read_text(encoding="utf-8")))
    there = {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    assert len(named) > 5
    assert named - there == set()
