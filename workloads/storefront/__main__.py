"""`python -m workloads.storefront`: only the storefront's commands, as its instance needs them."""

from __future__ import annotations

import sys

from contract.errors import GroundworkError, report
from workloads.storefront.commands import app


def main() -> None:
    """Run the command line; an error ends it with one line, and with the exit code of the error."""
    try:
        app(prog_name="python -m workloads.storefront")
    except GroundworkError as error:
        sys.exit(report(error))


if __name__ == "__main__":
    main()
