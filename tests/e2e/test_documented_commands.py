"""The commands of the README and of other pages work as they are written: one shell executes them, page after page."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.documented import ROOT, Session, commands, record

from .test_tutorials import environment

#: What the commands need of the repository's folder.
NEEDED = ("app.py", "cdk.json", "cloudformation", "infra", "node_modules", ".venv")
#: Commands that serve pages until they are interrupted. The shell visits the first page, then ends them.
SERVERS = ("groundwork site", "groundwork storefront serve")
SHELL = r"""
set -euo pipefail
visited() {
    "$@" > server.log 2>&1 & server=$!
    until address=$(grep -oEm 1 'http://[a-z0-9.]+:[0-9]+' server.log | head -1); do
        kill -0 $server || { cat server.log; return 1; }
        sleep 1
    done
    python -c 'import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).status)' "$address"
    kill $server
    wait $server || true
}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in which the commands' cloud is the default one."""
    for name in NEEDED:
        (tmp_path / name).symlink_to(ROOT / name)
    yield tmp_path
    subprocess.run(["groundwork", "local", "down"], cwd=tmp_path, env=environment(), check=False)


def executed(command: str, session: Session) -> str:
    """Return what the shell executes: a command with its options, on the newest run if the page leaves the run open."""
    line = f"{command} {session.options.get(command, '')}".strip()
    line = re.sub(r"(runs/[a-z-]+)/\.\.\.", r'"$(ls -td \1/*/ | head -1)"', line)
    return f"visited {line}" if line.startswith(SERVERS) else line


def script(session: Session) -> str:
    """Return the commands of a session, each behind a line that shows it; what was executed is not repeated."""
    left_out = record().leaves_out
    lines: list[str] = [*session.before]
    for page in session.pages:
        for command in commands(ROOT / page):
            line = executed(command, session)
            if not left_out(command) and line not in lines:
                lines.append(line)
    shown = [f"cat <<'SHOWN'\n$ {line}\nSHOWN\n{line}" for line in lines]
    return "\n".join([SHELL, *shown])


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", record().sessions)
def test_the_commands_of_the_pages_work_as_they_are_written(name: str, folder: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", script(record().sessions[name])],
        cwd=folder,
        env=environment() | {"BROWSER": "echo"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-10_000:]
