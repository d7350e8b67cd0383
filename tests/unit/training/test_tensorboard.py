"""Event files: TensorBoard reads in them what history.csv says, once, however often a run was interrupted."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import boto3
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from contract.errors import InputError, UnavailableError
from workloads.errors import Interrupted
from workloads.storage import Bucket, Folder, locate
from workloads.training.runtime.settings import RunOptions
from workloads.training.runtime.tensorboard import EVENTS, EventFile, crc32c
from workloads.training.runtime.train import train

from .test_run import Settings, fail, go, history, line

STARTED = "2026-11-29T03:00:00+00:00"
ROWS = [{"epoch": float(epoch), "loss": 1 / epoch, "epoch_seconds": 2.0} for epoch in range(1, 301)]


def ignore(_text: str) -> None:
    """Tell nobody."""


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard's own reader finds: tag to steps with their values, without discarding any."""
    reader = EventAccumulator(str(folder / "tensorboard"), {"scalars": 0}, purge_orphaned_data=False)
    reader.Reload()
    return {tag: [(event.step, event.value) for event in reader.Scalars(tag)] for tag in reader.Tags()["scalars"]}


def expected(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """The columns of history.csv, but for the epoch, which is the step."""
    found: dict[str, list[tuple[int, float]]] = {}
    for row in history(folder):
        for name, value in row.items():
            if value and name != "epoch":
                found.setdefault(name, []).append((int(row["epoch"]), pytest.approx(float(value), rel=1e-6)))
    return found


def test_the_checksum_is_that_of_the_standard() -> None:
    assert crc32c(b"123456789") == 0xE3069283
    assert [crc32c(content) for content in (bytes(32), b"\xff" * 32, bytes(range(32)))] == [
        *(0x8A9136AA, 0x62A8AB43, 0x46DD794E)  # RFC 3720, appendix B.4
    ]


def test_tensorboard_reads_the_columns_of_the_history(tmp_path: Path) -> None:
    go(tmp_path, tensorboard=True)
    assert {"training_loss", "validation_loss", "samples_per_second"} <= scalars(tmp_path).keys()
    assert scalars(tmp_path) == expected(tmp_path)


def test_an_epoch_is_shown_when_it_has_ended(tmp_path: Path) -> None:
    seen: list[int] = []
    go(tmp_path, line(lambda _epoch, _batch: seen.append(len(scalars(tmp_path).get("training_loss", [])))),
       tensorboard=True)  # fmt: skip
    assert seen == [0] * 5 + [1] * 5 + [2] * 5


def test_a_run_is_without_event_files_unless_they_are_asked_for(tmp_path: Path) -> None:
    go(tmp_path, tensorboard=True)
    go(tmp_path)
    assert not (tmp_path / "tensorboard").exists()


@pytest.mark.parametrize("place", [(0, 1), (1, 0), (1, 4), (2, 2)])
def test_an_interrupted_run_has_each_step_once(tmp_path: Path, place: tuple[int, int]) -> None:
    def interrupt(epoch: int, batch: int) -> None:
        if (epoch, batch) == place:
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(Interrupted):
        go(tmp_path, line(interrupt), tensorboard=True)
    assert [step for step, _ in scalars(tmp_path).get("training_loss", [])] == list(range(1, place[0] + 1))
    go(tmp_path, tensorboard=True)
    assert [step for step, _ in scalars(tmp_path)["training_loss"]] == [1, 2, 3]
    assert scalars(tmp_path) == expected(tmp_path)


def test_a_run_that_lost_its_newest_checkpoints_has_each_step_once(tmp_path: Path) -> None:
    def keep_first(epoch: int, batch: int) -> None:
        if (epoch, batch) == (1, 0):
            shutil.copytree(tmp_path / "run" / "checkpoints", tmp_path / "first")
        if (epoch, batch) == (2, 3):
            fail(RuntimeError("killed"))

    with pytest.raises(RuntimeError, match="killed"):
        go(tmp_path / "run", line(keep_first), tensorboard=True)
    assert [step for step, _ in scalars(tmp_path / "run")["training_loss"]] == [1, 2]
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    shutil.copytree(tmp_path / "first", tmp_path / "run" / "checkpoints")
    go(tmp_path / "run", tensorboard=True)
    assert scalars(tmp_path / "run") == expected(tmp_path / "run")


def test_the_option_may_come_with_the_second_attempt(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        go(tmp_path, line(lambda epoch, _batch: signal.raise_signal(signal.SIGTERM) if epoch else None))
    go(tmp_path, tensorboard=True)
    assert scalars(tmp_path) == expected(tmp_path)


def test_a_run_that_starts_again_forgets_the_steps_of_the_first(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        go(tmp_path, line(lambda epoch, _batch: signal.raise_signal(signal.SIGTERM) if epoch else None),
           tensorboard=True)  # fmt: skip
    go(tmp_path, tensorboard=True, resume=False)
    assert scalars(tmp_path) == expected(tmp_path)


def test_a_run_in_s3_has_its_events_there(aws: None, tmp_path: Path) -> None:
    boto3.client("s3").create_bucket(Bucket="runs")
    seen: list[int] = []

    def look(_epoch: int, _batch: int) -> None:
        Folder(tmp_path / EVENTS).write((locate("s3://runs/line") / EVENTS).read())
        seen.append(len(scalars(tmp_path).get("training_loss", [])))

    options = RunOptions(tensorboard=True)
    train("line", line(look), Settings(), options=options, data=".", output="s3://runs/line")
    assert seen == [0] * 5 + [1] * 5 + [2] * 5
    for name in (EVENTS, "history.csv"):
        Folder(tmp_path / name).write((locate("s3://runs/line") / name).read())
    assert scalars(tmp_path) == expected(tmp_path)


def test_what_an_outage_of_s3_kept_back_is_written_later(
    aws: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boto3.client("s3").create_bucket(Bucket="runs")
    told: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(Bucket, "write", lambda *_: fail(UnavailableError("S3 is not available.")))
        events = EventFile(locate("s3://runs/events"), STARTED, ROWS[:1], told.append)
        events.add(ROWS[1])
    assert told == ["no TensorBoard events now (training goes on, the next epoch tries again). S3 is not available."]
    events.add(ROWS[2])
    Folder(tmp_path / EVENTS).write(locate("s3://runs/events").read())
    assert [step for step, _ in scalars(tmp_path)["loss"]] == [1, 2, 3]


def test_a_program_that_has_the_file_open_sees_what_is_added(tmp_path: Path) -> None:
    events = EventFile(Folder(tmp_path / EVENTS), STARTED, ROWS[:2], ignore)
    reader = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    with (tmp_path / EVENTS).open("rb") as file:
        file.read()
        events = EventFile(Folder(tmp_path / EVENTS), STARTED, ROWS[:2], ignore)  # the run goes on
        events.add(ROWS[2])
        added = file.read()
    assert added
    assert (tmp_path / EVENTS).read_bytes() == events.content
    assert events.content.endswith(added)
    assert [event.step for event in reader.Reload().Scalars("loss")] == [1, 2, 3]


def test_an_epoch_that_was_half_written_is_completed(tmp_path: Path) -> None:
    content = EventFile(Folder(tmp_path / EVENTS), STARTED, ROWS[:2], ignore).content
    (tmp_path / EVENTS).write_bytes(content[:-7])
    EventFile(Folder(tmp_path / EVENTS), STARTED, ROWS[:2], ignore).add(ROWS[2])
    assert [step for step, _ in scalars(tmp_path)["loss"]] == [1, 2, 3]


def test_steps_and_lengths_of_more_than_seven_bits_are_read(tmp_path: Path) -> None:
    rows = [{**row, "a_column_with_a_name_" * 10: 2.0} for row in ROWS]
    EventFile(Folder(tmp_path / EVENTS), STARTED, rows, ignore)
    found = scalars(tmp_path)
    assert [step for step, _ in found["loss"]] == list(range(1, 301))
    assert found["a_column_with_a_name_" * 10] == [(step, 2.0) for step in range(1, 301)]


def test_the_time_of_an_epoch_is_the_start_plus_the_seconds_that_were_trained(tmp_path: Path) -> None:
    EventFile(Folder(tmp_path / EVENTS), STARTED, ROWS[:3], ignore)
    reader = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [event.wall_time for event in reader.Scalars("loss")] == [1795921200.0 + 2 * step for step in (1, 2, 3)]


def test_a_place_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "tensorboard").write_text("a file where a folder is needed")
    with pytest.raises(InputError, match=r"tensorboard/events.out.tfevents: The file cannot be written"):
        EventFile(Folder(tmp_path / EVENTS), STARTED, [], ignore)


def test_a_full_disk_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events = EventFile(Folder(tmp_path / EVENTS), STARTED, ROWS[:1], ignore)
    opened: Callable[..., object] = Path.open

    def full(path: Path, mode: str = "r") -> object:
        return fail(OSError(28, "No space left on device")) if mode == "ab" else opened(path, mode)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(InputError, match=r"events.out.tfevents: The file cannot be written: No space left on device"):
        events.add(ROWS[1])
