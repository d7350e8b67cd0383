"""`python -m workloads`: what a job runs, on AWS and on a laptop."""

from __future__ import annotations

import sys

from workloads.commands import app
from workloads.errors import InputError
from workloads.process import run


def main() -> None:
    """Run the command line; bad input ends with one line and exit code 2, an outage with 75."""
    try:
        app(prog_name="python -m workloads")
    except InputError as error:
        print(f"Error: {error}", file=sys.stderr)  # noqa: T201 - this is the output
        sys.exit(error.exit_code)


if __name__ == "__main__":
    run(main)
