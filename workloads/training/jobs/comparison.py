"""Finished runs beside each other: in which settings they differ, what came out, and how they learned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from contract.errors import InputError
from workloads.storage import locate
from workloads.training.runtime.run_folder import load_history

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

#: Formats in which the curves can be drawn, by the suffix of their file.
DRAWN = (".png", ".svg", ".pdf")


@dataclass(frozen=True)
class Comparison:
    """Runs of one workload on the same data.

    Attributes:
        runs: The content of metrics.json of each, with its place as ``run``.
        settings: The settings in which they differ, each with its value in every run, None where a run has none.
        figures: The figures on the test set that are numbers, likewise.
    """

    runs: Sequence[Mapping[str, Any]]
    settings: Mapping[str, Sequence[Any]]
    figures: Mapping[str, Sequence[float | None]]


def compare(runs: Sequence[Mapping[str, Any]]) -> Comparison:
    """Compare finished runs.

    Raises:
        InputError: There are fewer than two, or they differ in workload or data, so that their figures say nothing
            about each other.
    """
    if len(runs) < 2:  # noqa: PLR2004 - it takes two to compare
        places = runs[0]["run"] if runs else "No place"
        raise InputError(f"{places}: There are not two finished runs to compare. Name the places of several runs.")
    first = runs[0]
    for run in runs[1:]:
        if run["workload"] != first["workload"]:
            raise InputError(
                f"{run['run']}: This is a run of {run['workload']}, and {first['run']} is one of {first['workload']}. "
                "Compare runs of one workload."
            )
        if run["data"].get("sha256") is None or run["data"]["sha256"] != first["data"].get("sha256"):
            raise InputError(
                f"{run['run']}: It learned from other data ({run['data'].get('uri')}) than {first['run']} "
                f"({first['data'].get('uri')}), so their figures cannot be compared. Train one of them again."
            )
    settings = _by_name([run["settings"] for run in runs])
    figures = _by_name(
        [{name: value for name, value in run["test"].items() if isinstance(value, int | float)} for run in runs]
    )
    return Comparison(
        runs, {name: values for name, values in settings.items() if any(v != values[0] for v in values)}, figures
    )


def draw(comparison: Comparison, path: Path) -> None:
    """Draw the curves of all runs into one picture: a panel for each column of their histories, a line for each run.

    Args:
        comparison: The runs; their number in the legend is their place in it, from 1 on.
        path: A file whose suffix is in `DRAWN`.

    Raises:
        InputError: The suffix is none of these, or the file cannot be written.
    """
    from workloads.training.runtime.figures import new_panels

    if path.suffix not in DRAWN:
        raise InputError(f"{path}: A picture ends in {', '.join(DRAWN)}. Choose one of these.")
    histories = [load_history(locate(run["run"])) for run in comparison.runs]
    columns = dict.fromkeys(name for rows in histories for row in rows for name in row if _is_drawn(name))
    figure, axes = new_panels(len(columns), max(6.0, 4.2 * len(columns)), 3.8)
    for axis, column in zip(axes, columns, strict=True):
        for number, rows in enumerate(histories, 1):
            points = [(row["epoch"], row[column]) for row in rows if column in row]
            axis.plot(*zip(*points, strict=True), label=str(number), marker="o" if len(points) == 1 else "")
        axis.set(xlabel="epoch", ylabel=column.replace("_", " "))
        axis.legend(title="run")
    try:
        figure.savefig(path, dpi=120)
    except OSError as error:
        raise InputError(f"{path}: The picture cannot be written: {error.strerror}.") from error


def _is_drawn(column: str) -> bool:
    """Whether a column of a history says how a model learned, and not how long it took or how busy the machine was."""
    return column != "epoch" and not column.endswith(("seconds", "_per_second", "_utilization", "_standard_error"))


def _by_name(runs: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Return the values of each name in every run, None where a run does not have it."""
    names = dict.fromkeys(name for run in runs for name in run)
    return {name: [run.get(name) for run in runs] for name in names}
