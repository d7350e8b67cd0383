"""Runs the command line against the demonstration's cloud, as a person would in a shell."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from threading import Timer
from typing import Any

from groundwork.demo.checklist import Checklist
from localcloud import LocalCloud

_LIMIT_SECONDS = 1800  # of one command


def run(cloud: LocalCloud, report: Checklist, *arguments: str, in_full: bool = False) -> dict[str, Any]:
    """Run `groundwork ARGUMENTS --json`, show what it prints for people, and return its document.

    Args:
        cloud: What the command talks to.
        report: The checklist that shows its lines.
        arguments: The command.
        in_full: Whether the page shows its output in full.

    Raises:
        CalledProcessError: It failed, or did not end within half an hour.
    """
    command = " ".join(["groundwork", *arguments])
    if not in_full:
        report.fact("$", command)
    own = arguments.index("--") if "--" in arguments else len(arguments)  # behind it are options of another command
    lines = []
    with (
        tempfile.TemporaryFile() as document,  # a pipe that nobody reads meanwhile would fill up
        subprocess.Popen(
            [sys.executable, "-m", "groundwork", *arguments[:own], "--json", *arguments[own:]],
            env=cloud.inherited_environment(),
            text=True,
            stdout=document,
            stderr=subprocess.PIPE,
        ) as process,
    ):
        limit = Timer(_LIMIT_SECONDS, process.kill)
        limit.start()
        for line in process.stderr or ():
            lines.append(line.rstrip("\n"))
            if not in_full:
                report.line(lines[-1])
        process.wait()
        limit.cancel()
        document.seek(0)
        content = document.read()
    if in_full:
        report.output(command, "\n".join(lines))
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, content, "\n".join(lines))
    result: dict[str, Any] = json.loads(content)
    return result
