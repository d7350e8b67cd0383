"""Writes the record of stateful resources and the pages' tables of changes. Run as `python -m infra.updates`."""

from __future__ import annotations

import sys

from infra.console.templates import write_or_compare
from infra.updates import record, sweep

if __name__ == "__main__":
    sys.exit(write_or_compare("infra.updates", __doc__, lambda: record.written_from() | sweep.written_from()))
