"""Writes docs/costs.md from the prices and the templates. Run as `python -m infra.cost.page`; `--check` compares."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from aws_cdk import App

from infra import PROJECT
from infra.config import Config
from infra.console.settings_table import with_tables
from infra.console.templates import write_or_compare
from infra.cost.estimate import ALWAYS_ON, DATE, REGION, Charge, Estimate, Price, estimate, free
from infra.stacks import STACKS

PAGE = PROJECT / "docs" / "costs.md"
BLOCK = re.compile(r"(<!-- costs -->\n).*(<!-- end -->)", re.DOTALL)


def templates(config: Config) -> dict[str, dict[str, Any]]:
    """What the CDK writes for each stack under some settings, by the stack's name."""
    app = App(builtin_cloud_formation_validation=False)  # cfn-lint looks at them in `infra.check`
    stacks = [stack(app, stack.__name__, config) for stack in STACKS]
    assembly = app.synth()
    return {stack.stack_name: assembly.get_stack_by_name(stack.stack_name).template for stack in stacks}


def estimates(config: Config) -> list[Estimate]:
    """What each stack costs under some settings."""
    return [estimate(stack, template) for stack, template in templates(config).items()]


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


def amount(charge: Charge) -> str:
    """What a charge is for, with its number where that is not one."""
    return charge.price.source if charge.quantity == 1 else f"{charge.quantity:g} × {charge.price.source}"


def why(estimate: Estimate, charge: Charge) -> str:
    """Why a resource may bill while idle."""
    return ALWAYS_ON.get(estimate.stack, {}).get(charge.kind, "")


def figure(price: Price) -> str:
    """A price as people write it."""
    return f"{price.usd:.10f}".rstrip("0").rstrip(".")


def main() -> int:
    """Write the page, or compare it with what it should be."""
    return write_or_compare("infra.cost.page", main.__doc__, lambda: written_from(estimates(Config())))


if __name__ == "__main__":
    sys.exit(main())
