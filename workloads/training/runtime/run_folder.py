"""A run folder: what training leaves behind, written whole or not at all.

- `metrics.json`: final figures under `test`, settings, seed, versions, data, machine; written last
- `history.csv`: one row for each epoch
- `model.safetensors`: weights, and `model.json` with what rebuilds the network around them
- `figures/*.png`
- `tensorboard/events.out.tfevents`: the history once more, if asked for
- `MODEL_CARD.md`
- `report.html`: all of it on one page that needs no network
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
from typing import TYPE_CHECKING, Any

import safetensors
import safetensors.torch

from contract.design import LEAST_WIDTH, WRONG
from contract.errors import InputError, phrase
from workloads.training.runtime.report import render_model_card, render_report

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import torch

    from workloads.storage import Location
    from workloads.training.runtime.results import Figure, Results

METRICS = "metrics.json"
CHECKPOINTS = "checkpoints"
_WEIGHTS, _MODEL = "model.safetensors", "model.json"
_FACTS = ("workload", "settings", "data", "test")  # in every metrics.json
_NAMES = {METRICS, "history.csv", "MODEL_CARD.md", "report.html", _WEIGHTS, _MODEL}


def write_run_folder(
    folder: Path, results: Results, history: Sequence[Mapping[str, float]], facts: Mapping[str, Any]
) -> None:
    """Write all files of a finished run.

    Args:
        folder: An existing, empty folder on this machine.
        results: What `fit` returned.
        history: One row an epoch.
        facts: Everything else that metrics.json tells: workload, settings, versions, machine.
    """
    metrics = {**facts, "data": {**facts["data"], **results.data}, "test": dict(results.test)}
    images = {figure: png(figure, sample=metrics["data"].get("sample", False)) for figure in results.figures()}
    files: dict[str, bytes] = {
        "history.csv": _csv(history).encode(),
        "MODEL_CARD.md": render_model_card(results, metrics).encode(),
        "report.html": render_report(results, images, history, metrics).encode(),
        **{f"figures/{figure.name}.png": content for figure, content in images.items()},
        **results.files,
    }
    if results.model is not None:
        weights = {name: tensor.detach().cpu().contiguous() for name, tensor in results.model.items()}
        files[_WEIGHTS] = safetensors.torch.save(weights)
        files[_MODEL] = json.dumps(results.model_settings, indent=2).encode()
    files[METRICS] = json.dumps(metrics, indent=2, allow_nan=False).encode()
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def check_replaceable(run: Location) -> None:
    """See that a run may be written to a place: that it would replace nothing but a run.

    Raises:
        InputError: Files of a run's names are there, without a run's metrics or checkpoints.
    """
    names = run.names()
    if any(name.startswith(f"{CHECKPOINTS}/") for name in names):
        return
    with contextlib.suppress(ValueError, TypeError):
        if METRICS in names and "workload" in json.loads((run / METRICS).read()):
            return
    if existing := [name for name in names if name in _NAMES or name.startswith("figures/")]:
        raise InputError(
            f"{run}: The file {existing[0]} is there, but no run. Choose another --output, or remove the file."
        )


def load_metrics(run: Location, workload: str | None = None) -> dict[str, Any]:
    """Return the metrics.json of a finished run.

    Raises:
        InputError: This is not a finished run, or not one of that workload.
    """
    if not (run / METRICS).is_file():
        raise InputError(
            f"{run}: This is not a finished run, as it has no {METRICS}. Give the output of `groundwork train`."
        )
    metrics = parse_metrics(run / METRICS)
    if workload and metrics["workload"] != workload:
        raise InputError(f"{run}: This is a run of {metrics['workload']}, not of {workload}.")
    return metrics


def parse_metrics(file: Location, *others: str) -> dict[str, Any]:
    """Return the content of a metrics.json.

    Args:
        file: Where it is.
        others: Facts that it must have besides those that every one has.

    Raises:
        InputError: It cannot be read, or `train` has not written it.
    """
    metrics = _parse_object(file)
    if missing := [name for name in (*_FACTS, *others) if name not in metrics]:
        raise InputError(
            f"{file}: The file is not of a run of this version of Groundwork: it has no {missing[0]!r}. "
            "Name other places, or train again."
        )
    return metrics


def _parse_object(file: Location) -> dict[str, Any]:
    """Return the JSON object that a file holds.

    Raises:
        InputError: It cannot be read, or holds something else.
    """
    try:
        document = json.loads(file.read())
    except ValueError as error:
        raise InputError(
            f"{file}: The file is damaged: {phrase(error)}. Train again, or copy the run again."
        ) from error
    if not isinstance(document, dict):
        raise InputError(f"{file}: The file holds no JSON object, so it is not of a run.")
    return document


def load_history(run: Location) -> list[dict[str, float]]:
    """Return the rows of a run's history.csv; a column without a value in a row is left out of it.

    Raises:
        InputError: It cannot be read, or is damaged.
    """
    file = run / "history.csv"
    try:
        rows = csv.DictReader(file.read().decode().splitlines())
        return [{name: float(value) for name, value in row.items() if value} for row in rows]
    except (ValueError, TypeError) as error:
        raise InputError(
            f"{file}: The file is damaged: {phrase(error)}. Train again, or copy the run again."
        ) from error


def load_model(run: Location, workload: str) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Return the weights and the model settings of a finished run.

    Raises:
        InputError: This is not a finished run of that workload, or its files are damaged.
    """
    load_metrics(run, workload)
    try:
        return safetensors.torch.load((run / _WEIGHTS).read()), _parse_object(run / _MODEL)
    except safetensors.SafetensorError as error:
        raise InputError(f"{run}: The model is damaged: {phrase(error)}.") from error


@contextlib.contextmanager
def rebuilding(run: Location) -> Iterator[None]:
    """Build a network and load its weights; what does not fit is named in one line.

    Raises:
        InputError: The run is of a version of this code with other networks.
    """
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError) as error:
        commit = load_metrics(run).get("commit")
        raise InputError(
            f"{run}: The model was written by another version of Groundwork{f' ({commit})' if commit else ''}, and its "
            "weights do not fit the networks of this one. Train again, or use that version."
        ) from error


def png(figure: Figure, *, sample: bool) -> bytes:
    """Return a figure as PNG; one of sample data says so in its corner, wherever it is shown."""
    buffer = io.BytesIO()
    words = {"Title": figure.title, "Description": figure.alt, LEAST_WIDTH: str(figure.least_width)}
    if sample:
        figure.figure.text(0.995, 0.005, "sample data", ha="right", va="bottom", fontsize=9, color=WRONG)
        words["Description"] = f"Sample data. {figure.alt}"
    figure.figure.savefig(buffer, format="png", dpi=120, metadata=words)
    return buffer.getvalue()


def _csv(rows: Sequence[Mapping[str, float]]) -> str:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows({**row, "epoch": int(row["epoch"])} for row in rows)
    return text.getvalue()
