"""Training workloads: a folder for each model, and the runtime that they share."""

from __future__ import annotations

import os

# OpenMP's threads spin while they wait for each other. On a machine that does anything else besides, that costs more
# than half of the speed. Read when PyTorch is first imported, so it is set before.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
