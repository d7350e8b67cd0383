"""Runs the command line against the demonstration's cloud, as a person would in a shell."""

import os
import subprocess
import sys

from groundwork.demo.checklist import Checklist
from localcloud import LocalCloud


def run(cloud: LocalCloud, report: Checklist, *arguments: str) -> str:
    """Run `groundwork ARGUMENTS` and show what it prints; its output.

    Raises:
        CalledProcessError: It failed.
    """
    report.fact("$", " ".join(["groundwork", *arguments]))
    done = subprocess.run(
        [sys.executable, "-m", "workloads", *arguments],
        env=os.environ | cloud.environment(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    for text in done.stdout.splitlines():
        report.line(text)
    done.check_returncode()
    return done.stdout
