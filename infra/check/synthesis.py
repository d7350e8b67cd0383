"""Run the rules that apply while the CDK synthesises: cdk-nag's AwsSolutions, and the CDK's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aws_cdk import App, CloudFormationValidatePlugin, Validations
from cdk_nag import AwsSolutionsChecks

#: The context of the app, which makes findings of the CDK's own rules errors.
CONTEXT: dict[str, Any] = json.loads((Path(__file__).parents[2] / "cdk.json").read_text(encoding="utf-8"))["context"]


REPORT = "validation-report.json"


@dataclass(frozen=True)
class Acknowledged:
    """A finding of these rules that a construct acknowledges.

    Attributes:
        rule: As `infra.guardrails.acknowledge` takes it.
        resource: Path of the resource's construct.
        construct: Path of the construct that acknowledges it.
        reason: Why it is not a fault.
    """

    rule: str
    resource: str
    construct: str
    reason: str


def acknowledged_findings(folder: Path) -> Iterator[Acknowledged]:
    """Yield the acknowledged findings of the synthesis whose output a folder has."""
    for report in json.loads((folder / REPORT).read_text(encoding="utf-8"))["pluginReports"]:
        for finding in report["suppressedViolations"]:
            rule = finding["ruleName"].removeprefix("AwsSolutions-")
            for construct in finding["violatingConstructs"]:
                yield Acknowledged(rule, construct["constructPath"], finding["acknowledgedAt"], finding["reason"])


def synthesise(app: App) -> list[str]:
    """Synthesise the app under cdk-nag and the CDK's own rules, and return their findings, one per line.

    Raises:
        RuntimeError: The report does not say that the AwsSolutions rules ran.
    """
    Validations.of(app).add_plugins(AwsSolutionsChecks(app), CloudFormationValidatePlugin())
    try:
        app.synth()
    except RuntimeError as error:  # findings end the synthesis so; the report says more
        if "ValidationFailed" not in str(error):
            raise
    reports = json.loads((Path(app.outdir) / REPORT).read_text(encoding="utf-8"))["pluginReports"]
    if not any(report["pluginName"] == "AwsSolutions" for report in reports):
        raise RuntimeError("cdk-nag's report has no AwsSolutions entry: the rules did not run")
    return [
        f"{construct['constructPath']}: {violation['ruleName']}: {violation['description']}"
        for report in reports
        for violation in report["violations"]
        for construct in violation["violatingConstructs"]
    ]
