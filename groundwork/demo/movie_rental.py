"""A film rental company's database moves into five engines, which answer what it could not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from contract.stacks import DataEcosystemOutput, StackName
from groundwork.demo.checklist import Checklist
from groundwork.demo.cli import run
from localcloud import LocalCloud

STACK = StackName.DATA_ECOSYSTEM
SOURCE = "postgresql:///legacy"
CUSTOMER = "3"


def move(cloud: LocalCloud, report: Checklist, results: Path) -> None:
    """Deploy the engines, migrate, compare; search, recommend, tell trends; rent, and forget a customer."""

    def ask(*arguments: str) -> dict[str, Any]:
        return run(cloud, report, "movie-rental", *arguments, in_full=True)

    report.step("The old database moves into every engine")
    loaded = ask("load-source", "--into", SOURCE)
    films = loaded["rows"]["film"]
    moved = ask("migrate", "--source", SOURCE)
    report.promise("every film is in the library", held=films == moved["rows"]["movies"] > 0, seen=films)
    compared = ask("verify", "--source", SOURCE)
    comparisons = f"{len(compared['comparisons'])} comparisons"
    report.promise("engines and old database are equal", held=compared["equal"], seen=comparisons)

    report.step("What the old database could not answer")
    library = cloud.outputs(STACK)[DataEcosystemOutput.MOVIES_TABLE_NAME]
    [item] = cloud.client("dynamodb").scan(TableName=library, Limit=1)["Items"]
    title = item["MovieTitle"]["S"]
    spelt = ask("search", misspelt(title), "--limit", "3")["movies"]
    is_listed = title in [movie["title"] for movie in spelt]
    report.promise("a film is found though a letter is missing", held=is_listed, seen=misspelt(title))
    meant = ask("search", item["Description"]["S"], "--mode", "meaning", "--limit", "3")["movies"]
    is_listed = title in [movie["title"] for movie in meant]
    report.promise("it is found by what it is about", held=is_listed, seen=item["Description"]["S"])
    recommended = ask("recommend", CUSTOMER, "--limit", "5")["movies"]
    report.promise("a customer is recommended films", held=len(recommended) > 0, seen=len(recommended))
    table = results / "movie-rental" / "trends.csv"
    table.parent.mkdir()
    trends = ask("trends", "--csv", str(table))
    report.promise("trends have weeks", held=bool(trends["weeks"]))
    report.promise("a forecast pays, or is left out", held=trends["forecast"] is None or trends["forecast"]["pays"])
    figure = table.with_suffix(".png")
    _draw(table, figure)
    report.picture(figure, "Rentals of each category, week by week, as the time series database answers.")
    ask("quality")

    report.step("A rental, and a customer who wants to be forgotten")
    before = ask("customer", CUSTOMER)["rentals_in_graph"]
    report.promise("a film is lent", held=any(_lent(ask, str(film)) for film in range(1, 20)))
    report.await_promise("the rental reached the graph", lambda: ask("customer", CUSTOMER)["rentals_in_graph"] > before)
    forgotten = ask("customer", CUSTOMER, "--erase")
    report.promise("nothing is left of a customer who was erased", held=forgotten["left"] == 0)


def _draw(table: Path, path: Path) -> None:
    """Draw weeks across and categories down; a darker cell has more rentals."""
    counts = pd.read_csv(table, index_col=0).drop(columns="all", errors="ignore").T
    counts.columns = [str(week)[:10] for week in counts.columns]
    figure = Figure(figsize=(8, 4.6), layout="constrained")
    sns.heatmap(counts, ax=figure.add_subplot(), cmap="crest", cbar_kws={"label": "rentals"})
    figure.savefig(path, dpi=130)


def misspelt(title: str) -> str:
    """Return a title whose longest word lacks a letter."""
    word = max(title.split(), key=len)
    middle = len(word) // 2
    return title.replace(word, word[:middle] + word[middle + 1 :])


def _lent(ask: Callable[..., dict[str, Any]], film: str) -> bool:
    """Rent a film for the customer, and return whether the store had a copy."""
    try:
        return bool(ask("rent", CUSTOMER, film)["rental"])
    except CalledProcessError:  # not in this store; the command says so
        return False
