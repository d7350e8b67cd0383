"""`python -m workloads`: what a job runs, on AWS and on a laptop."""

from __future__ import annotations

import sys

from contract.errors import GroundworkError, report
from workloads.commands import app
from workloads.process import run


def main() -> None:
    """Run the command line; an error ends it with one line, and with the exit code of the error."""
    try:
        app(prog_name="python -m workloads")
    except GroundworkError as error:
        sys.exit(report(error))


if __name__ == "__main__":
    run(main)
