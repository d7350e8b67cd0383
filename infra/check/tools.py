"""Run tools that need other versions of packages than ours, and so are installed beside the project."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

PROGRAMS = Path(__file__).parents[2] / ".groundwork" / "checks" / "bin"


def run(*command: str | Path, folder: Path) -> list[Any]:
    """Run a tool in a folder, and return what it prints: JSON documents, one after the other.

    Raises:
        RuntimeError: The tool is not installed, or printed something else; the message says which and why.
    """
    name, *arguments = map(str, command)
    program = shutil.which(name, path=str(PROGRAMS)) or shutil.which(name)
    if not program:
        raise RuntimeError(f"{name} is not installed: `make check` installs it into {PROGRAMS.parent}")
    done = subprocess.run([program, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    try:
        return documents(done.stdout)
    except ValueError as error:
        raise RuntimeError(f"{name}: {error}: {(done.stderr or done.stdout).strip()[-500:]}") from error


def documents(text: str) -> list[Any]:
    """Return the JSON documents that stand one after the other in a text.

    Raises:
        ValueError: The text holds something else.
    """
    decoder, parsed, remaining = json.JSONDecoder(), [], text.strip()
    while remaining:
        document, end = decoder.raw_decode(remaining)
        parsed.append(document)
        remaining = remaining[end:].lstrip()
    return parsed
