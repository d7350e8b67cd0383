"""The base of every stack: readable logical ids, parts with headings, outputs that say what they are."""

import re
from collections.abc import Callable
from typing import Any, ClassVar

import jsii
from aws_cdk import Aspects, CfnElement, CfnOutput, IAspect, Stack
from constructs import Construct, IConstruct

from infra.config import Config


@jsii.implements(IAspect)
class ReadableIds:
    """Names each element of a stack once: the CDK would ask for a name again wherever one is referred to.

    A logical id is the path of its construct without the CDK's hash, so a resource has the same name in the CDK's
    template and in the console's. The CDK refuses a template in which two would clash.
    """

    def visit(self, node: IConstruct) -> None:
        """Name a construct of the tree, if it is an element of the template and not an output, which has its name."""
        if isinstance(node, CfnElement) and not isinstance(node, CfnOutput):
            _, *steps = node.node.path.split("/")
            told = "".join(step for step in steps if step not in ("Resource", "Default"))
            node.override_logical_id(re.sub(r"\W", "", told))


class GroundworkStack(Stack):
    """A stack whose template a person can read.

    Attributes:
        config: the settings. A console template gives a function that turns them into parameters of the stack.
        headings: titles of the stack's parts, by the index of the first construct below each.
    """

    DESCRIPTION: ClassVar[str]

    def __init__(
        self,
        scope: Construct,
        name: str,
        config: Config | Callable[[Stack], Config],
        **options: Any,
    ) -> None:
        super().__init__(scope, name, description=self.DESCRIPTION, analytics_reporting=False, **options)
        self.template_options.template_format_version = "2010-09-09"
        self.config = config if isinstance(config, Config) else config(self)
        self.headings: dict[int, str] = {}
        Aspects.of(self).add(ReadableIds())

    def heading(self, title: str) -> None:
        """Say what the constructs that follow are about."""
        self.headings[len(self.node.children)] = title

    def output(self, name: str, value: str, description: str) -> None:
        """Publish a value that people and programs read by name."""
        CfnOutput(self, f"{name}Output", value=value, description=description).override_logical_id(name)
