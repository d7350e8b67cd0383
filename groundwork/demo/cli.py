"""Runs the command line against the demonstration's cloud, as a person would in a shell."""

import subprocess
import sys

from groundwork.demo.checklist import Checklist
from localcloud import LocalCloud


def run(cloud: LocalCloud, report: Checklist, *arguments: str, answer: bool = False) -> str:
    """Run `groundwork ARGUMENTS` and show what it prints; its output.

    Args:
        cloud: What the command talks to.
        report: Where it is shown.
        arguments: The command.
        answer: Whether what it prints is worth reading on the page.

    Raises:
        CalledProcessError: It failed.
    """
    command = " ".join(["groundwork", *arguments])
    if not answer:
        report.fact("$", command)
    done = subprocess.run(
        [sys.executable, "-m", "workloads", *arguments],
        env=cloud.inherited_environment(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if answer:
        report.answer(command, done.stdout)
    else:
        for text in done.stdout.splitlines():
            report.line(text)
    done.check_returncode()
    return done.stdout
