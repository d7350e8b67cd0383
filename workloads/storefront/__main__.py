"""`python -m workloads.storefront`: the storefront's commands alone, as its instance needs them."""

from __future__ import annotations

import sys

from workloads.errors import InputError
from workloads.storefront.commands import app


def main() -> None:
    """Run the command line; what cannot be used ends with one line and exit code 2."""
    try:
        app(prog_name="python -m workloads.storefront")
    except InputError as error:
        print(f"Error: {error}", file=sys.stderr)  # noqa: T201 - this is the output
        sys.exit(2)


if __name__ == "__main__":
    main()
