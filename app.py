"""The CDK app: one configuration for each environment, its stacks, nothing else."""

from __future__ import annotations

import os
import sys
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from contract.errors import GroundworkError, report
from infra import kept

if TYPE_CHECKING:
    from infra.config import Config
    from infra.stack import GroundworkStack


def deployable(config: Config) -> list[type[GroundworkStack]]:
    """Return the stacks of one environment; the budget is among them if it has a limit."""
    from infra.budget import Budget
    from infra.stacks import STACKS

    return [*STACKS, *([Budget] if config.budget.limit_usd else [])]


def synthesise() -> None:
    """Synthesise the stacks that the CDK's command line is about."""
    from aws_cdk import App

    from infra import environments

    app = App()
    try:
        configurations = [*environments.configurations(app.node.get_all_context())]
    except GroundworkError as error:
        sys.exit(report(error))
    stacks = [
        (environments.deployed_name(stack.__name__, environment), stack, config)
        for environment, config in configurations
        for stack in deployable(config)
    ]
    # The CDK's command line says with --exclusively which stacks it is about; without it, it asks for all ("**").
    chosen = app.node.try_get_context("aws:cdk:bundling-stacks") or ["**"]
    about = [row for row in stacks if any(fnmatchcase(row[0], pattern) for pattern in chosen)]
    for name, stack, config in about or stacks:  # where no stack has such a name, the CDK's command line says so
        stack(app, name, config)
    app.synth()


if folder := os.environ.get("CDK_OUTDIR"):  # as the CDK's command line runs it; what has not changed is made once
    kept.synthesised(Path(folder), {"app": __file__, "arguments": sys.argv}, synthesise)
else:
    synthesise()
