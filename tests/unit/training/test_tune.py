"""What a search says of its best trial: whether it can be told from the others."""

from __future__ import annotations

from typing import Any

from workloads.training.runtime.tune import as_good, verdict


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
