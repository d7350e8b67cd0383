"""The stacks, listed once.

The app, the console's templates, the costs, the checks, the tests and the documentation read this list.
"""

from __future__ import annotations

from infra.data_ecosystem import DataEcosystem
from infra.devops_metrics import DevOpsMetrics
from infra.stack import GroundworkStack
from infra.termination_alarm import TerminationAlarm
from infra.training import Training
from infra.web_app import WebApp

STACKS: tuple[type[GroundworkStack], ...] = (TerminationAlarm, Training, DevOpsMetrics, DataEcosystem, WebApp)
"""Every stack that is deployed under its class's name, has settings in `Config` under its `SECTION`, and comes as a
template for the console, in the order in which they are listed.

`infra.budget.Budget` is not among them: it is about the account, and stands in the app only if it has a limit.
"""
