"""docs/preflight.md lists every check with the permissions that it needs."""

from __future__ import annotations

import re
from pathlib import Path

from groundwork.preflight import subjects

PAGE = Path(__file__).parents[3] / "docs" / "preflight.md"


def test_the_page_lists_the_checks_in_their_order_with_their_permissions() -> None:
    section = PAGE.read_text().partition("## What it checks")[2].partition("##")[0]
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| (`[^|]+) \|$", section, re.MULTILINE)
    assert [(name, summary, tuple(re.findall("`([^`]+)`", needed))) for name, summary, needed in rows] == [
        (check.name, check.summary, check.permissions) for check in subjects.CHECKS
    ]
