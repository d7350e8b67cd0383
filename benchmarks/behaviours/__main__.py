"""Runs one behaviour against the endpoint in the environment: ``python -m behaviours NAME``, 0 if it holds."""

from __future__ import annotations

import sys

from behaviours import behaviours

behaviours()[sys.argv[1]]()
