"""Pages whose commands a test runs: a shell takes them in the order in which a person would paste them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

#: A block of commands, and the lines that the page says it prints.
Step = tuple[str, list[str]]
MARK = "the next block of commands"


def steps(page: Path) -> list[Step]:
    """The commands of a page, each block with the lines that it is said to print."""
    pattern = r"^```sh\n(.*?)^```\n(?:\n```\n(.*?)^```\n)?"
    blocks = re.findall(pattern, page.read_text(), re.DOTALL | re.MULTILINE)
    return [(commands, shown.splitlines()) for commands, shown in blocks]


def follow(steps: Sequence[Step], folder: Path, environment: Mapping[str, str]) -> None:
    """Run blocks of commands in one shell, and assert that each succeeds and prints what it is said to print."""
    script = "\n".join([f"set -euo pipefail\necho '{MARK}'\n{commands}" for commands, _ in steps])
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    done = subprocess.run(["bash", "-c", script], cwd=folder, env=environment, text=True, check=False, **pipes)
    assert done.returncode == 0, done.stdout
    printed = done.stdout.split(f"{MARK}\n")[1:]
    for (commands, shown), output in zip(steps, printed, strict=True):
        for line in shown:
            pattern = f"*{line.replace('...', '*')}*"
            prints = any(fnmatchcase(row, pattern) for row in output.splitlines())
            assert prints, f"{commands}does not print {line!r}, but\n{output}"
