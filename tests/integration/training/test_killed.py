"""Killed again and again at random moments, every workload ends with the weights of a run that nobody disturbed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from workloads.storage import locate
from workloads.training.mnist import FILES, format_idx, load_mnist
from workloads.training.models.delivery_time.orders import sample_delivery
from workloads.training.models.player_position.sample import sample_nfl

KILLS = 20  # of each; benchmarks/resume.py kills by the clock, and after longer training
IMAGES = 120  # to train on and to test on
PROGRAM = Path(__file__).with_name("killed.py")
SETTINGS: dict[str, dict[str, Any]] = {
    "digit-classifier": {"epochs": 6, "batch_size": 50, "test_time_shifts": False},
    "digit-gan": {"epochs": 6, "batch_size": 50},
    "delivery-time": {"epochs": 6, "splits": 0, "repeats": 1, "folds": 2},
    "player-position": {"epochs": 6, "splits": 0, "trees": 2, "hidden": 16, "folds": 2},
}


def test_the_weights_and_losses_do_not_tell(digits: Path, tmp_path: Path) -> None:
    whole = load_mnist(locate(str(digits)))
    arrays = (whole.train_images, whole.train_labels, whole.test_images, whole.test_labels)
    images = {name: format_idx(array[:IMAGES]) for name, array in zip(FILES, arrays, strict=True)}
    data = {"digits": images, "delivery-time": sample_delivery(), "player-position": sample_nfl()}
    for folder, files in data.items():
        (tmp_path / folder).mkdir()
        for name, content in files.items():
            (tmp_path / folder / name).write_bytes(content)
    trainings = {
        name: (str(tmp_path / (name if name in data else "digits")), settings) for name, settings in SETTINGS.items()
    }
    arguments = [str(KILLS), str(tmp_path / "runs"), json.dumps(trainings)]
    done = subprocess.run([sys.executable, str(PROGRAM), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    resumed = json.loads(done.stdout)
    assert set(resumed) == set(SETTINGS)
    assert all(KILLS / 4 < count < KILLS for count in resumed.values())
