"""The CDK app: one configuration, its stacks, nothing else."""

from __future__ import annotations

import sys

from aws_cdk import App

from contract.errors import GroundworkError, report
from infra.budget import Budget
from infra.config import Config
from infra.stacks import STACKS

app = App()
try:
    config = Config.from_context(app.node.get_all_context())
except GroundworkError as error:
    sys.exit(report(error))
for stack in STACKS:
    stack(app, stack.__name__, config)
if config.budget.limit_usd:
    Budget(app, Budget.__name__, config)
app.synth()
