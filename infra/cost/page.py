"""Writes docs/costs.md from the prices and the templates. Run as `python -m infra.cost.page`; `--check` compares."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path

from contract.prices import DATE, REGION
from infra import PROJECT
from infra.config import Config
from infra.console.settings_table import with_tables
from infra.console.templates import write_or_compare
from infra.cost.estimate import Estimate, estimates, free
from infra.cost.words import amount, figure, why

PAGE = PROJECT / "docs" / "costs.md"
BLOCK = re.compile(r"(<!-- costs -->\n).*(<!-- end -->)", re.DOTALL)


def written_from(of: Iterable[Estimate]) -> dict[Path, str]:
    """What the page should say."""
    return {PAGE: with_costs(PAGE.read_text(encoding="utf-8"), of)}


def with_costs(page: str, of: Iterable[Estimate]) -> str:
    """The page with its figures brought up to date; they stand between `<!-- costs -->` and `<!-- end -->`."""
    return BLOCK.sub(lambda block: f"{block[1]}\n{_figures(list(of))}\n{block[2]}", with_tables(page))


def _figures(stack_estimates: list[Estimate]) -> str:
    lines = [f"USD in {REGION}, list prices of {DATE}, with the settings' defaults.", "", "| stack | idle, a month |"]
    lines += [
        "|---|---|",
        *(f"| [{estimate.stack}](#{estimate.stack.lower()}) | {estimate.idle:.2f} |" for estimate in stack_estimates),
    ]
    beyond = sum(estimate.free for estimate in stack_estimates) - free(stack_estimates)
    lines += [f"| dashboards beyond the three that are free | {beyond:.2f} |"]
    lines += [f"| all of them in one account | {sum(estimate.idle for estimate in stack_estimates) + beyond:.2f} |"]
    for stack in stack_estimates:
        lines += [
            "",
            f"## {stack.stack}",
            "",
            "| bills while idle | what | USD a month | why it may |",
            "|---|---|---|---|",
        ]
        lines += [
            f"| `{charge.resource}` | {amount(charge)} | {charge.usd:.2f} | {why(stack, charge)} |"
            for charge in stack.charges
        ]
        if stack.free:
            lines += [f"| | free in an account that has no others | -{stack.free:.2f} | |"]
        lines += ["", "| bills by use | USD | for a |", "|---|---|---|"]
        lines += [f"| {used.source} | {figure(used)} | {used.unit} |" for used in stack.uses]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write the page, or compare it with what it should be."""
    return write_or_compare("infra.cost.page", main.__doc__, lambda: written_from(estimates(Config())))


if __name__ == "__main__":
    sys.exit(main())
