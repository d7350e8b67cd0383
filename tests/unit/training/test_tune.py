"""What a search says of its best trial: whether it can be told from the others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from workloads.training.models.delivery_time import model as delivery_time
from workloads.training.models.digit_classifier import model as digit_classifier
from workloads.training.runtime.settings import RunOptions
from workloads.training.runtime.tune import Search, as_good, verdict


def trial(run: int, value: float, error: float | None = 0.01) -> dict[str, Any]:
    """A finished trial."""
    return {"run": f"trial-{run}", "value": value} | ({} if error is None else {"standard_error": error})


def test_trials_within_the_standard_error_of_the_best_are_as_good() -> None:
    best, near, far = trial(0, 0.99), trial(1, 0.978), trial(2, 0.97)
    assert as_good(best, [best, near, far]) == [near]
    text = verdict(best, [best, near, far])
    assert text is not None
    assert text.startswith("1 of the 2 other trials differ from the best (0.9900 ± 0.0100) by less than the standard")
    assert "means nothing" in text


def test_where_the_best_stands_out_nothing_is_said() -> None:
    best = trial(0, 0.99, error=0.001)
    assert verdict(best, [best, trial(1, 0.95, error=0.001)]) is None
    assert verdict(best, [best]) is None


def test_where_no_standard_error_is_known_nothing_is_claimed() -> None:
    best, other = trial(0, 1.5, None), trial(1, 1.5, None)
    assert as_good(best, [best, other]) is None
    assert verdict(best, [best, other]) is None


def test_it_ends_with_the_command_that_trains_with_the_best_settings(tmp_path: Path) -> None:
    fixed = {"epochs": 3, "test_time_shifts": False}
    search = Search(digit_classifier.NAME, digit_classifier.WORKLOAD, fixed, RunOptions(), "my data", str(tmp_path))
    settings = digit_classifier.Settings(learning_rate=0.0123456789, **fixed).model_dump(mode="json")
    best = {**trial(0, 0.99), "settings": settings}
    (tmp_path / "tuning.json").write_text(json.dumps({"best": best, "trials": [best]}))
    said: list[str] = []
    search.tell(said.append)
    settings_line, command = said
    assert "in trial-0: epochs 3, learning rate 0.01235, test time shifts False. This command" in settings_line
    assert command == (
        "groundwork train digit-classifier --data 'my data' --epochs 3 --learning-rate 0.0123456789 "
        "--no-test-time-shifts"
    )


def test_what_only_trials_leave_out_is_not_in_the_command() -> None:
    workload = delivery_time.WORKLOAD
    settings = workload.settings(**{**workload.trial_settings, "epochs": 7}).model_dump(mode="json")
    search = Search(delivery_time.NAME, workload, {}, RunOptions(), "data", "output")
    assert search.chosen(settings) == {"epochs": 7}
