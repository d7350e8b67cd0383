"""A film rental company's database moves into five engines, which answer what it could not."""

import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CalledProcessError

from groundwork.demo.checklist import Checklist
from groundwork.demo.cli import run
from localcloud import LocalCloud

STACK = "DataEcosystem"
SOURCE = "postgresql:///legacy"
CUSTOMER = "3"


def move(cloud: LocalCloud, report: Checklist, results: Path) -> None:
    """Deploy the engines, migrate, compare; search, recommend, tell trends; rent, and forget a customer."""
    report.step(f"cdk deploy {STACK}")
    cloud.deploy(STACK)
    for name, value in cloud.outputs(STACK).items():
        report.fact(name, value)
    told: list[str] = []

    def ask(*arguments: str) -> str:
        answer = run(cloud, report, "movie-rental", *arguments)
        told.append(f"$ groundwork movie-rental {' '.join(arguments)}\n{answer}")
        return answer

    report.step("The old database moves into every engine")
    loaded = ask("load-source", "--into", SOURCE)
    films = _number(r"([\d,]+) films", loaded)
    moved = ask("migrate", "--source", SOURCE)
    report.promise("every film is in the library", held=films == _number(r"([\d,]+) movies", moved), seen=films)
    compared = ask("verify", "--source", SOURCE)
    report.promise("engines and old database are equal", held=compared.count("equal\n") > 1 and "DIFF" not in compared)

    report.step("What the old database could not answer")
    table = cloud.outputs(STACK)["MoviesTableName"]
    [item] = cloud.client("dynamodb").scan(TableName=table, Limit=1)["Items"]
    title = item["MovieTitle"]["S"]
    answer = ask("search", misspelt(title), "--limit", "3")
    report.promise("a film is found though a letter is missing", held=title in answer, seen=misspelt(title))
    meant = ask("search", item["Description"]["S"], "--mode", "meaning", "--limit", "3")
    report.promise("it is found by what it is about", held=title in meant, seen=item["Description"]["S"])
    recommended = ask("recommend", CUSTOMER, "--limit", "5")
    report.promise("a customer is recommended films", held=len(recommended.splitlines()) > 1)
    weeks = ask("trends")
    report.promise("trends have weeks and a forecast", held="the weeks to come" in weeks)
    ask("quality")

    report.step("A rental, and a customer who wants to be forgotten")
    before = _number(r"([\d,]+) in the graph", ask("customer", CUSTOMER))
    report.promise("a film is lent", held=any(_lent(ask, str(film)) for film in range(1, 20)))
    report.await_promise(
        "the rental reached the graph", lambda: _number(r"([\d,]+) in the graph", ask("customer", CUSTOMER)) > before
    )
    forgotten = ask("customer", CUSTOMER, "--erase")
    report.promise("nothing is left of a customer who was erased", held="nothing is left of them" in forgotten)

    folder = results / "movie-rental"
    folder.mkdir()
    (folder / "answers.txt").write_text("\n".join(told), encoding="utf-8")


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
