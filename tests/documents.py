"""The documents of `--json`: which keys docs/command-line.md promises, and what a command really prints."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[1] / "docs" / "command-line.md"


def promised() -> dict[str, set[str]]:
    """The keys at the top of each document, by command."""
    rows = re.findall(r"^\| `([^`]+)` \| ([^|]+) \|", PAGE.read_text(), re.MULTILINE)
    return {command: set(re.findall(r"`(\w+)`", keys)) for command, keys in rows}


def document(printed: str, page: str) -> dict[str, Any]:
    """The one document that a command has printed, with the keys that the page promises of this command."""
    content: dict[str, Any] = json.loads(printed)
    assert set(content) == promised()[page]
    return content
