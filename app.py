"""The CDK app: one configuration, its stacks, nothing else."""

import sys

from aws_cdk import App

from contract.errors import GroundworkError, report
from infra.budget import Budget
from infra.config import Config
from infra.data_ecosystem import DataEcosystem
from infra.devops_metrics import DevOpsMetrics
from infra.termination_alarm import TerminationAlarm
from infra.training import Training
from infra.web_app import WebApp

app = App()
try:
    config = Config.from_context(app.node.get_all_context())
except GroundworkError as error:
    sys.exit(report(error))
TerminationAlarm(app, "TerminationAlarm", config)
Training(app, "Training", config)
DevOpsMetrics(app, "DevOpsMetrics", config)
DataEcosystem(app, "DataEcosystem", config)
WebApp(app, "WebApp", config)
if config.budget.limit_usd:
    Budget(app, "Budget", config)
app.synth()
