"""A film rental company's database moves into five engines, which answer what it could not."""

import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CalledProcessError

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

    def ask(*arguments: str) -> str:
        return run(cloud, report, "movie-rental", *arguments, answer=True)

    report.step("The old database moves into every engine")
    loaded = ask("load-source", "--into", SOURCE)
    films = _number(r"([\d,]+) films", loaded)
    moved = ask("migrate", "--source", SOURCE)
    report.promise("every film is in the library", held=films == _number(r"([\d,]+) movies", moved), seen=films)
    compared = ask("verify", "--source", SOURCE)
    report.promise("engines and old database are equal", held=compared.count("equal\n") > 1 and "DIFF" not in compared)

    report.step("What the old database could not answer")
    library = cloud.outputs(STACK)[DataEcosystemOutput.MOVIES_TABLE_NAME]
    [item] = cloud.client("dynamodb").scan(TableName=library, Limit=1)["Items"]
    title = item["MovieTitle"]["S"]
    answer = ask("search", misspelt(title), "--limit", "3")
    report.promise("a film is found though a letter is missing", held=title in answer, seen=misspelt(title))
    meant = ask("search", item["Description"]["S"], "--mode", "meaning", "--limit", "3")
    report.promise("it is found by what it is about", held=title in meant, seen=item["Description"]["S"])
    recommended = ask("recommend", CUSTOMER, "--limit", "5")
    report.promise("a customer is recommended films", held=len(recommended.splitlines()) > 1)
    table = results / "movie-rental" / "trends.csv"
    table.parent.mkdir()
    weeks = ask("trends", "--csv", str(table))
    report.promise("trends have weeks and a forecast", held="the weeks to come" in weeks)
    figure = table.with_suffix(".png")
    _draw(table, figure)
    report.picture(figure, "Rentals of each category, week by week, as the time series database answers.")
    ask("quality")

    report.step("A rental, and a customer who wants to be forgotten")
    before = _number(r"([\d,]+) in the graph", ask("customer", CUSTOMER))
    report.promise("a film is lent", held=any(_lent(ask, str(film)) for film in range(1, 20)))
    report.await_promise(
        "the rental reached the graph", lambda: _number(r"([\d,]+) in the graph", ask("customer", CUSTOMER)) > before
    )
    forgotten = ask("customer", CUSTOMER, "--erase")
    report.promise("nothing is left of a customer who was erased", held="nothing is left of them" in forgotten)


def _draw(table: Path, path: Path) -> None:
    """Weeks across, categories down, darker the more rentals."""
    counts = pd.read_csv(table, index_col=0).drop(columns="all", errors="ignore").T
    counts.columns = [str(week)[:10] for week in counts.columns]
    figure = Figure(figsize=(8, 4.6), layout="constrained")
    sns.heatmap(counts, ax=figure.add_subplot(), cmap="crest", cbar_kws={"label": "rentals"})
    figure.savefig(path, dpi=130)


def misspelt(title: str) -> str:
    """A title whose longest word lacks a letter."""
    word = max(title.split(), key=len)
    middle = len(word) // 2
    return title.replace(word, word[:middle] + word[middle + 1 :])


def _lent(ask: Callable[..., str], film: str) -> bool:
    """Whether a store had a copy of a film, which now is the customer's."""
    try:
        return "rental" in ask("rent", CUSTOMER, film)
    except CalledProcessError:  # not in this store; the command says so
        return False


def _number(pattern: str, text: str) -> int:
    found = re.search(pattern, text)
    return int(found[1].replace(",", "")) if found else -1
