"""Write the console's templates and the tables of settings; with `--check`, compare them and write nothing."""

from __future__ import annotations

import sys

from infra.console.templates import main

if __name__ == "__main__":
    sys.exit(main())
