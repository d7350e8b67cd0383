"""Killed again and again at random moments, every workload ends with the weights of a run that nobody disturbed."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from workloads.training.tabular.delivery import sample_delivery
from workloads.training.tabular.nfl import sample_nfl

KILLS = 3  # of each; benchmarks/resume.py has more
PROGRAM = Path(__file__).with_name("killed.py")
SETTINGS: dict[str, dict[str, Any]] = {
    "digit-classifier": {"epochs": 4, "batch_size": 50},
    "digit-gan": {"epochs": 3, "batch_size": 50},
    "delivery-time": {"epochs": 5, "splits": 0, "repeats": 1, "folds": 2},
    "player-position": {"epochs": 4, "splits": 0, "trees": 5, "hidden": 16, "folds": 2},
}


@pytest.mark.parametrize("workload", SETTINGS)
def test_the_weights_do_not_tell(workload: str, digits: Path, tmp_path: Path) -> None:
    data = digits
    if workload in ("delivery-time", "player-position"):
        data = tmp_path / "data"
        data.mkdir()
        for name, content in (sample_delivery() if workload == "delivery-time" else sample_nfl()).items():
            (data / name).write_bytes(content)
    arguments = [workload, str(data), str(tmp_path), str(KILLS), json.dumps(SETTINGS[workload])]
    done = subprocess.run([sys.executable, str(PROGRAM), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == str(KILLS)
