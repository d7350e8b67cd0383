"""Checkpoints: the newest whole one is found, and only by the run that wrote it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from contract.errors import InputError
from workloads.storage import locate
from workloads.training.runtime.checkpoint import Checkpoints


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def checkpoints(tmp_path: Path, warnings: list[str]) -> Checkpoints:
    return Checkpoints(locate(str(tmp_path / "checkpoints")), {"seed": 1, "epochs": 9}, warnings.append)


def test_without_any_there_is_nothing_to_load(checkpoints: Checkpoints) -> None:
    assert checkpoints.load() is None
    assert checkpoints.newest() is None


def test_the_newest_is_loaded_and_the_one_before_kept(checkpoints: Checkpoints, tmp_path: Path) -> None:
    for epoch, batch in ((1, 0), (2, 0), (2, 70), (10, 0)):
        checkpoints.save(epoch, batch, {"weights": torch.full((3,), float(epoch))})
    state = checkpoints.load()
    assert state is not None
    assert (state["epoch"], state["batch"]) == (10, 0)
    assert state["weights"].tolist() == [10, 10, 10]
    names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert names == ["epoch-00002-batch-0000070.checkpoint", "epoch-00010-batch-0000000.checkpoint"]


@pytest.mark.parametrize("damage", [lambda content: content[:100], lambda content: content[:-1] + b"?", lambda _: b""])
def test_a_damaged_one_is_passed_over_with_a_warning(
    checkpoints: Checkpoints, warnings: list[str], tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    checkpoints.save(1, 0, {})
    checkpoints.save(2, 0, {})
    newest = tmp_path / "checkpoints" / "epoch-00002-batch-0000000.checkpoint"
    newest.write_bytes(damage(newest.read_bytes()))
    state = checkpoints.load()
    assert state is not None
    assert state["epoch"] == 1
    assert warnings == [f"{newest} is damaged; using the checkpoint before it"]


def test_a_run_that_starts_anew_because_all_are_damaged_keeps_what_it_saves(
    checkpoints: Checkpoints, tmp_path: Path
) -> None:
    checkpoints.save(2, 0, {})
    checkpoints.save(3, 0, {})
    for path in (tmp_path / "checkpoints").iterdir():
        path.write_bytes(b"")
    assert checkpoints.load() is None
    checkpoints.save(1, 0, {})
    state = checkpoints.load()
    assert state is not None
    assert state["epoch"] == 1


def test_one_of_other_settings_is_refused_with_the_difference(checkpoints: Checkpoints) -> None:
    checkpoints.save(1, 0, {})
    other = Checkpoints(checkpoints.location, {"seed": 2, "epochs": 9}, print)
    with pytest.raises(InputError, match=r"a run with seed 1 \(now 2\)\. Use the same settings"):
        other.load()


def test_one_of_other_data_is_refused_and_so_is_one_that_does_not_say(checkpoints: Checkpoints) -> None:
    checkpoints.save(1, 0, {})
    new = replace(checkpoints, data_sha256="new digest of the data")
    with pytest.raises(InputError, match=r"other data \(SHA-256 unknown, now new digest o\)\. Use the same --data"):
        new.load()
    new.save(2, 0, {})
    state = new.load()
    assert state is not None
    assert state["epoch"] == 2
    with pytest.raises(InputError, match=r"other data \(SHA-256 new digest o, now another dige\)"):
        replace(checkpoints, data_sha256="another digest").load()


def test_all_are_removed_at_the_end(checkpoints: Checkpoints, tmp_path: Path) -> None:
    checkpoints.save(1, 0, {})
    checkpoints.delete()
    assert not (tmp_path / "checkpoints").exists()
