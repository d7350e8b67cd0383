"""The base of every stack: readable logical ids, a description, outputs that say what they are."""

import re
from typing import Any

from aws_cdk import CfnElement, CfnOutput, Stack, Tags
from constructs import Construct


class GroundworkStack(Stack):
    """A stack whose template a person can read.

    A logical id is the path of its construct without the CDK's hash, so the same resource has the same name in the
    CDK's template and in the console's. The CDK refuses a template in which two would clash.
    """

    def __init__(self, scope: Construct, name: str, *, description: str, **options: Any) -> None:
        super().__init__(scope, name, description=description, analytics_reporting=False, **options)
        Tags.of(self).add("groundwork:stack", name)

    def _allocate_logical_id(self, element: CfnElement) -> str:
        steps = element.node.path.split("/")[len(self.node.path.split("/")) :]
        return re.sub(r"\W", "", "".join(step for step in steps if step not in ("Resource", "Default")))

    def output(self, name: str, value: str, description: str) -> None:
        """Publish a value that people and programs read by name."""
        CfnOutput(self, f"{name}Output", value=value, description=description).override_logical_id(name)
