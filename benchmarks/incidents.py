"""Compare our detector of incidents with baselines and libraries, on real series that people have labelled.

    python benchmarks/incidents.py FOLDER [FOLDER ...]

A folder is a checkout of https://github.com/numenta/NAB, of https://github.com/microsoft/cloud-monitoring-dataset, or
any other with CSV files of timestamp, value and label (0 or 1). The files of one folder are a family. NAB's family
realAWSCloudwatch is left out: it is kept for checks by people who did not write the detector.

A labelled window is found if an incident overlaps it; an incident outside all windows is a false alarm. Labelled rows
at most an hour or two rows apart are one window. A method gives each row a score; rows above a threshold and at most an
hour apart are one incident. Each method is measured three times: with the threshold that people usually set; with the
one that has the highest F1 on the other families of the same folder (of a folder with one family, on the other
folders); and with this and our probation and budget of alarms. Ours less another method has the standard error of a
bootstrap over the series. stumpy takes part if it is installed (pip install stumpy).
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from dataclasses import astuple, dataclass
from datetime import timedelta
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from measurement import circumstances, record
from sklearn.ensemble import IsolationForest

from workloads.devops_metrics.anomalies import WINDOW, Alarms, find_incidents
from workloads.differences import pooled_difference, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from workloads.differences import Difference

    Series = pd.Series[float]
    Stretch = tuple[pd.Timestamp, pd.Timestamp]

KEPT_BACK = "realAWSCloudwatch"
OURS = "ours"
_BUSY_DAYS = 0.25
FEWEST_SERIES = 10  # that a bootstrap over series can say anything of
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
THRESHOLDS = (2, 2.5, 3, 3.5, 4, 5, 6, 8, 10, 12, 15, 20, 30)
OUR_THRESHOLDS = (1.5, 1.75, 2, 2.25, 2.5, 3)


@dataclass(frozen=True)
class Labelled:
    """A series, and the windows in which people saw something unusual."""

    source: str
    family: str
    name: str
    course: Series
    windows: list[Stretch]

    @property
    def days(self) -> float:
        """Return the length of the series, in days."""
        return float((self.course.index[-1] - self.course.index[0]) / DAY)

    @property
    def happens_often(self) -> bool:
        """Tell whether more than one day in four has a window: what our detector calls a busy day, not an incident."""
        marked = {day for start, end in self.windows for day in pd.date_range(start.floor("D"), end, freq="D")}
        return len(marked) > _BUSY_DAYS * self.days


@dataclass(frozen=True)
class Count:
    """Incidents and windows, added up over series."""

    incidents: int = 0
    right: int = 0
    windows: int = 0
    hits: int = 0
    days: float = 0.0

    def __add__(self, other: Count) -> Count:
        return Count(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))

    @property
    def f1(self) -> float:
        """Return the harmonic mean of precision and recall by windows."""
        return float(f1(np.array(astuple(self))))

    def figures(self) -> dict[str, Any]:
        """Return the figures to record."""
        return {
            "incidents": self.incidents,
            "precision": round(self.right / max(1, self.incidents), 3),
            "recall": round(self.hits / max(1, self.windows), 3),
            "f1": round(self.f1, 3),
            "false_alarms_per_day": round((self.incidents - self.right) / self.days, 3),
        }


def f1(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return F1 by windows of the fields of `Count`, [..., 5]."""
    incidents, right, windows, hits, _ = np.moveaxis(counts, -1, 0)
    precision, recall = right / np.maximum(1, incidents), hits / np.maximum(1, windows)
    return 2 * precision * recall / np.maximum(precision + recall, 1e-9)


@dataclass(frozen=True)
class Score:
    """What a method found in the series of a source.

    Attributes:
        by_series: Of each series, in the same order for all methods.
        families: The family of each series.
        thresholds: Those that were set.
    """

    by_series: list[Count]
    families: list[str]
    thresholds: list[float]

    def figures(self) -> dict[str, Any]:
        """Return the figures to record."""
        by_family = {
            family: total(count for count, of in zip(self.by_series, self.families, strict=True) if of == family)
            for family in dict.fromkeys(self.families)
        }
        f1_by_family = {family: round(count.f1, 3) for family, count in by_family.items() if count.windows}
        return total(self.by_series).figures() | {"thresholds": self.thresholds, "f1_by_family": f1_by_family}

    def less(self, other: Score) -> Difference | None:
        """Return F1 less that of another method; of few series nobody can say how much of it is chance."""
        if len(self.by_series) < FEWEST_SERIES:
            return None
        mine, theirs = (np.array([astuple(count) for count in score.by_series], float) for score in (self, other))
        return pooled_difference(mine, theirs, f1)


def main() -> None:
    """Measure all methods on all folders, and keep the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    series = [labelled for folder in parser.parse_args().folders for labelled in read(folder.resolve())]
    sources = list(dict.fromkeys(labelled.source for labelled in series))
    result: dict[str, Any] = {
        source: {
            "series": sum(labelled.source == source for labelled in series),
            "windows": sum(len(labelled.windows) for labelled in series if labelled.source == source),
            "days": round(sum(labelled.days for labelled in series if labelled.source == source)),
            **often([labelled for labelled in series if labelled.source == source]),
            "methods": {},
        }
        for source in sources
    }
    by_method = {name: measured(method, series) for name, method in methods().items()}
    for name, of_sources in by_method.items():
        for source, kinds in of_sources.items():
            ours = by_method[OURS][source]
            result[source]["methods"][name] = {
                kind: score.figures() | ({} if name == OURS else {"difference": ours[kind].less(score)})
                for kind, score in kinds.items()
            }
    packages = ["numpy", "pandas", "scikit-learn", *(["stumpy"] if util.find_spec("stumpy") else [])]
    record("incidents", {**circumstances(*packages), "sources": result})


def often(series: Sequence[Labelled]) -> dict[str, int]:
    """Return how many series, and how many windows, are of what happens on more than one day in four."""
    frequent = [labelled for labelled in series if labelled.happens_often]
    return {"often_series": len(frequent), "often_windows": sum(len(labelled.windows) for labelled in frequent)}


# Measuring


def measured(method: Method, series: Sequence[Labelled]) -> dict[str, dict[str, Score]]:
    """Return what a method found, by source and by the way its threshold is set."""
    result: dict[str, dict[str, Score]] = defaultdict(dict)
    keys = [(labelled.source, labelled.family) for labelled in series]
    for kind, alarms in (("chosen", None), ("chosen, with our budget", Alarms())):
        counts = {
            threshold: [count(labelled, method.incidents(labelled, threshold, alarms)) for labelled in series]
            for threshold in method.thresholds
        }
        picked = {key: best(counts, keys, key) for key in dict.fromkeys(keys)}
        for source in dict.fromkeys(source for source, _ in keys):
            own = [index for index, key in enumerate(keys) if key[0] == source]
            families = [keys[index][1] for index in own]
            if kind == "chosen":
                usual = [counts[method.usual][index] for index in own]
                result[source]["usual"] = Score(usual, families, [method.usual])
            chosen = [counts[picked[keys[index]]][index] for index in own]
            thresholds = sorted({picked[keys[index]] for index in own})
            result[source][kind] = Score(chosen, families, thresholds)
    return dict(result)


def best(counts: Mapping[float, Sequence[Count]], keys: Sequence[tuple[str, str]], left_out: tuple[str, str]) -> float:
    """Return the threshold with the highest F1 on the other families of a source; else on the other sources."""
    others = [index for index, key in enumerate(keys) if key != left_out]
    chosen = [index for index in others if keys[index][0] == left_out[0]] or others or range(len(keys))
    return max(counts, key=lambda threshold: total(counts[threshold][index] for index in chosen).f1)


def total(counts: Iterable[Count]) -> Count:
    """Return the sum of counts."""
    return sum(counts, Count())


def count(series: Labelled, incidents: Sequence[Stretch]) -> Count:
    """Compare incidents with the windows of a series."""

    def overlap(incident: Stretch, window: Stretch) -> bool:
        return incident[0] <= window[1] and incident[1] >= window[0]

    right = sum(any(overlap(incident, window) for window in series.windows) for incident in incidents)
    hits = sum(any(overlap(incident, window) for incident in incidents) for window in series.windows)
    return Count(len(incidents), right, len(series.windows), hits, series.days)


def together(times: pd.DatetimeIndex, gap: pd.Timedelta) -> list[Stretch]:
    """Return the first and the last of each run of times that are at most a gap apart."""
    breaks = np.flatnonzero(np.diff(times) > gap)
    return list(zip(times[[0, *(breaks + 1)]], times[[*breaks, -1]], strict=True)) if len(times) else []


# Series


def read(folder: Path) -> Iterator[Labelled]:
    """Yield the labelled series of a folder."""
    labels = folder / "labels" / "combined_windows.json"
    if labels.exists():
        for path, windows in json.loads(labels.read_text(encoding="utf-8")).items():
            family, _, name = path.partition("/")
            if family != KEPT_BACK:
                table = pd.read_csv(folder / "data" / path, parse_dates=["timestamp"])
                values = table.groupby("timestamp")["value"].mean()
                stretches = [(pd.Timestamp(start), pd.Timestamp(end)) for start, end in windows]
                kind = family.removesuffix("NoAnomaly").removesuffix("WithAnomaly")
                yield Labelled(folder.name, kind, name, values, stretches)
        return
    for path in sorted(folder.rglob("*.csv")):
        table = pd.read_csv(path).rename(columns=str.lower)
        if {"timestamp", "value", "label"} <= set(table.columns):
            how: dict[str, Any] = {"unit": "s"} if table["timestamp"].dtype.kind == "i" else {"format": "mixed"}
            table["timestamp"] = pd.to_datetime(table["timestamp"], utc=True, **how).dt.tz_localize(None)
            rows = table.groupby("timestamp").agg({"value": "mean", "label": "max"})
            windows = together(rows.index[rows["label"] == 1], max(pd.Timedelta(HOUR), 2 * step(rows["value"])))
            yield Labelled(folder.name, path.parent.name, path.name, rows["value"].astype(float), windows)


def step(values: Series) -> pd.Timedelta:
    """Return the usual distance of two rows."""
    return values.index.to_series().diff().median()


# Methods


class Method:
    """A way to find incidents, by a score of each row.

    Attributes:
        usual: The threshold that people usually set.
        thresholds: Those that are chosen from.
    """

    def __init__(self, score: Callable[[Series], Series], usual: float = 3) -> None:
        self.usual = usual
        self.thresholds: Sequence[float] = THRESHOLDS
        self._score = score
        self._scores: dict[int, Series] = {}

    def incidents(self, series: Labelled, threshold: float, alarms: Alarms | None) -> list[Stretch]:
        """Return the incidents of a series, with a probation and a budget if `alarms` are given."""
        if id(series) not in self._scores:
            self._scores[id(series)] = self._score(series.course).abs().fillna(0.0)
        scores = self._scores[id(series)]
        stretches = together(scores.index[scores > threshold], max(pd.Timedelta(HOUR), 1.5 * step(scores)))
        if alarms:
            stretches = [stretch for stretch in stretches if stretch[0] >= scores.index[0] + alarms.probation]
            stretches.sort(key=lambda stretch: float(scores[stretch[0] : stretch[1]].max()), reverse=True)
            stretches = stretches[: max(1, round(alarms.per_day * series.days))]
        return stretches


class Ours(Method):
    """Our detector, as `groundwork devops-metrics detect` runs it: probation and budget are its own."""

    def __init__(self) -> None:
        self.usual = Alarms().distance
        self.thresholds = OUR_THRESHOLDS

    def incidents(self, series: Labelled, threshold: float, alarms: Alarms | None) -> list[Stretch]:
        """Return the incidents of a series."""
        del alarms
        incidents = find_incidents({series.name: series.course.to_frame("value")}, Alarms(distance=threshold))
        return list(zip(incidents["start"], incidents["end"], strict=True))


def methods() -> dict[str, Method]:
    """Return all methods, by name."""
    compared = {
        OURS: Ours(),
        "z-score of the last 24 hours": Method(rolling_z),
        "mean and three sigma": Method(fixed_sigma),
        "median and MAD of the last 24 hours": Method(rolling_mad, 3.5),
        "difference to the day before": Method(day_before),
        "EWMA of 24 hours": Method(ewma),
        "scikit-learn, isolation forest": Method(isolation_forest),
    }
    if util.find_spec("stumpy"):
        compared["stumpy, matrix profile"] = Method(matrix_profile)
    return compared


def relative(distance: Series, spread: Series | float) -> Series:
    """A distance in units of a spread; one of nothing counts as a millionth of the largest distance."""
    least = max(float(distance.abs().max()), 1e-9) * 1e-6
    return distance / np.maximum(spread, least)


def rolling_z(values: Series) -> Series:
    """Distance from the mean of the last 24 hours, in their standard deviations."""
    day = values.rolling("24h")
    return relative(values - day.mean(), day.std())


def fixed_sigma(values: Series) -> Series:
    """Distance from the mean of all, in standard deviations of all."""
    return relative(values - values.mean(), float(values.std()))


def rolling_mad(values: Series) -> Series:
    """Distance from the median of the last 24 hours, in their robust standard deviations."""
    distance = values - values.rolling("24h").median()
    return relative(distance, 1.4826 * distance.abs().rolling("24h").median())


def day_before(values: Series) -> Series:
    """Difference to the same time of the day before, in standard deviations of all these differences."""
    before = values.copy()
    before.index += DAY
    difference = values - before.reindex(values.index, method="nearest", tolerance=step(values))
    return relative(difference, float(difference.std()))


def ewma(values: Series) -> Series:
    """Distance from the exponentially weighted mean of the rows before, in their weighted standard deviations."""
    weighted = values.ewm(span=max(2.0, DAY / step(values)))
    return relative(values - weighted.mean().shift(1), weighted.std().shift(1))


def isolation_forest(values: Series) -> Series:
    """How easily a row is isolated by its value, its change, means of an hour and a day, and the time of the day."""
    hour = (values.index.hour + values.index.minute / 60) / 24 * 2 * np.pi
    features = pd.DataFrame(
        {
            "value": values,
            "change": values.diff(),
            "hour": values.rolling("1h").mean(),
            "day": values.rolling("24h").mean(),
            "sine": np.sin(hour),
            "cosine": np.cos(hour),
        }
    ).fillna(0.0)
    forest = IsolationForest(random_state=0).fit(features)
    scores = pd.Series(-forest.score_samples(features), values.index)
    return relative(scores - scores.mean(), float(scores.std()))


def matrix_profile(values: Series) -> Series:
    """Distance of the three hours around a row from the most similar three hours (Yeh et al., 2016)."""
    import stumpy

    window = max(pd.Timedelta(WINDOW), step(values))
    regular = values.resample(window, origin="start").mean().interpolate()
    length = max(4, round(3 * HOUR / window))
    if len(regular) < 4 * length:
        return pd.Series(0.0, regular.index)
    profile = stumpy.stump(regular.to_numpy(dtype=float), length)[:, 0].astype(float)
    scores = pd.Series(np.nan, regular.index)
    scores.iloc[length // 2 : length // 2 + len(profile)] = np.where(np.isfinite(profile), profile, np.nan)
    return relative(scores - scores.mean(), float(scores.std()))


# The page


INTRODUCTION = """## Incidents in real series

Series in which people have labelled windows of time. A window is found if an incident overlaps it; an incident outside
all windows is a false alarm; F1 is the harmonic mean of precision and recall. The first four columns are with the
threshold that people usually set, which for most methods is three standard deviations, and with our defaults. After
them the threshold is the one that is best on the other families of series; in the last column each method also has our
probation and our budget of alarms. "Ours less this" is the difference of F1 with its standard error, by a bootstrap
over the series, which are what is independent; what chance explains at the 5 % level is marked as noise, and of fewer
than ten series nothing is said. The structure of our detector was settled while looking at these series, so expect
less on others. `benchmarks/incidents.py` says how all this is measured.
"""
HEADER = (
    "| method | precision | recall | F1 | ours less this | false alarms a day | F1, threshold chosen | ours less this "
    "| and with our budget |\n|---|---|---|---|---|---|---|---|---|\n"
)
FAMILIES = "| family | F1 of ours | the best other one | which is |\n|---|---|---|---|\n"


def section(result: dict[str, Any]) -> str:
    """Return what was measured, as a section of a page."""
    blocks = [INTRODUCTION]
    for source, figures in result["sources"].items():
        methods = dict(figures["methods"])
        rows = [
            f"| {name} | {method['usual']['precision']:.2f} | {method['usual']['recall']:.2f} "
            f"| {method['usual']['f1']:.2f} | {less(method['usual'])} "
            f"| {method['usual']['false_alarms_per_day']:.2f} "
            f"| {method['chosen']['f1']:.2f} | {less(method['chosen'])} "
            f"| {method['chosen, with our budget']['f1']:.2f} |\n"
            for name, method in methods.items()
        ]
        ours = methods.pop(OURS)
        best, highest = best_other(figures)
        mine = ours["usual"]["f1"]
        verdict = "Ours has" if mine >= highest else "Ours is beaten; it has"
        blocks.append(
            f"### {source}\n\n{figures['series']} series, {figures['windows']} windows, {figures['days']:,} days. "
            f"{verdict} {mine / highest:.2f} times the F1 of the best other one, {best}, which has {highest:.2f}. "
            f"In {figures['often_series']} of the series, which have {figures['often_windows']} of the windows, people "
            "have labelled something on more than one day in four.\n\n"
            f"{HEADER}{''.join(rows)}"
        )
        families = ours["chosen"]["f1_by_family"]
        if len(families) > 1:
            peers = {
                family: max((method["chosen"]["f1_by_family"][family], name) for name, method in methods.items())
                for family in families
            }
            blocks.append(
                FAMILIES
                + "".join(
                    f"| {family} | {f1:.2f} | {peers[family][0]:.2f} | {peers[family][1]} |\n"
                    for family, f1 in families.items()
                )
            )
    return "\n".join(blocks)


def less(figures: dict[str, Any]) -> str:
    """Return ours less a method, as a cell of a table."""
    difference = figures.get("difference")
    return shown(difference, 2) if difference else ""


def best_other(figures: dict[str, Any]) -> tuple[str, float]:
    """Return the best method of a source except ours, with its usual or its chosen threshold, and its F1."""
    highest = {
        name: max(float(method[kind]["f1"]) for kind in ("usual", "chosen"))
        for name, method in figures["methods"].items()
        if name != OURS
    }
    name = max(highest, key=lambda name: highest[name])
    return name, highest[name]


if __name__ == "__main__":
    main()
