"""A run folder: what training leaves behind, written whole or not at all.

- `metrics.json`: final figures under `test`, settings, seed, versions, data, machine; written last
- `history.csv`: one row an epoch
- `model.safetensors`: weights, and `model.json` with what rebuilds the network around them
- `figures/*.png`
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

from contract.errors import InputError, phrase
from workloads.training.runtime.report import render_model_card, render_report

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import torch

    from workloads.storage import Location
    from workloads.training.runtime.results import Figure, Results

METRICS = "metrics.json"
CHECKPOINTS = "checkpoints"
_WEIGHTS, _MODEL = "model.safetensors", "model.json"
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
    images = {figure: _png(figure, sample=metrics["data"].get("sample", False)) for figure in results.figures()}
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
    """The metrics.json of a finished run.

    Raises:
        InputError: This is no finished run, or not one of that workload.
    """
    if not (run / METRICS).is_file():
        raise InputError(
            f"{run}: This is not a finished run, as it has no {METRICS}. Give the output of `groundwork train`."
        )
    metrics: dict[str, Any] = json.loads((run / METRICS).read())
    if workload and metrics.get("workload") != workload:
        raise InputError(f"{run}: This is a run of {metrics.get('workload')}, not of {workload}.")
    return metrics


def load_history(run: Location) -> list[dict[str, float]]:
    """The rows of a run's history.csv; a column without a value in a row is left out of it."""
    rows = csv.DictReader((run / "history.csv").read().decode().splitlines())
    return [{name: float(value) for name, value in row.items() if value} for row in rows]


def load_model(run: Location, workload: str) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """The weights and the model settings of a finished run.

    Raises:
        InputError: This is no finished run of that workload, or its files are damaged.
    """
    load_metrics(run, workload)
    try:
        return safetensors.torch.load((run / _WEIGHTS).read()), json.loads((run / _MODEL).read())
    except (safetensors.SafetensorError, json.JSONDecodeError) as error:
        raise InputError(f"{run}: The model is damaged: {phrase(error)}.") from error


def _png(figure: Figure, *, sample: bool) -> bytes:
    """A figure as PNG; one of sample data says so in its corner, wherever it is shown."""
    buffer = io.BytesIO()
    words = {"Title": figure.title, "Description": figure.alt}
    if sample:
        figure.figure.text(0.995, 0.005, "sample data", ha="right", va="bottom", fontsize=7, color="#b2182b")
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
