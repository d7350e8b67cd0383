"""The base of every stack: its settings, its policy for data, its alarms' topic, readable logical ids, headings."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable
from functools import cached_property
from typing import Any, ClassVar

import jsii
from aws_cdk import Aspects, CfnElement, CfnOutput, IAspect, RemovalPolicy, Stack
from constructs import Construct, IConstruct

from contract.stacks import AlertedOutput
from infra.account import follow_account
from infra.config import Config
from infra.constructs.alerts import Alerts, AlertTopic, ExistingTopic
from infra.constructs.encryption import EncryptedUnder
from infra.guardrails import data_policy

SETTINGS = "groundwork:settings"
"""Under this name the metadata of a template has the settings that differ from their defaults."""


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
            logical_id = "".join(step for step in steps if step not in ("Resource", "Default"))
            node.override_logical_id(re.sub(r"\W", "", logical_id))


class GroundworkStack(Stack):
    """A stack whose template a person can read.

    A stack names itself and its settings, and says in `build` what it consists of:

        class Shop(GroundworkStack):
            DESCRIPTION = "A shop, and an alarm that says when it is closed."
            SECTION = "shop"
            settings: ShopSettings

            def build(self) -> None:
                self.heading("Where orders wait.")
                orders = private_queue(self, "Orders", policy=self.policy)
                ...
                self.output(ShopOutput.ORDERS_URL, orders.queue_url, "Orders go here.")
                self.output_topic()

    Attributes:
        DESCRIPTION: What the stack is, in the template and in the console.
        SECTION: The name of its settings in `Config`.
        config: All settings. A console template gives a function that turns them into parameters of the stack.
        settings: Those of the stack.
        headings: Titles of the stack's parts, by the index of the first construct below each.
    """

    DESCRIPTION: ClassVar[str]
    SECTION: ClassVar[str]
    settings: Any

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
        self.settings = getattr(self.config, self.SECTION)
        self.headings: dict[int, str] = {}
        if isinstance(config, Config) and (chosen := config.chosen(self.SECTION)):
            self.add_metadata(SETTINGS, chosen)
        Aspects.of(self).add(ReadableIds())
        follow_account(self, self.config)
        if key := getattr(self.settings, "kms_key_arn", ""):
            Aspects.of(self).add(EncryptedUnder(key))
        self.build()

    @abstractmethod
    def build(self) -> None:
        """Make everything that the stack consists of, and its outputs."""

    @cached_property
    def policy(self) -> RemovalPolicy:
        """What becomes of data and logs when the stack goes; needs settings that are `Retained`."""
        return data_policy(delete_data=self.settings.delete_data, allow_data_deletion=self.config.allow_data_deletion)

    @cached_property
    def topic(self) -> Alerts:
        """Where alarms are published, made when the stack first asks for it unless the settings name one."""
        settings = self.settings
        if settings.topic_arn:
            return ExistingTopic(self, "Topic", settings.topic_arn, email=settings.email)
        return AlertTopic(self, "Topic", email=settings.email, key_arn=settings.kms_key_arn)

    def heading(self, title: str) -> None:
        """Say what the constructs that follow are about."""
        self.headings[len(self.node.children)] = title

    def output(self, name: str, value: str, description: str) -> None:
        """Publish a value that people and programs read by name."""
        CfnOutput(self, f"{name}Output", value=value, description=description).override_logical_id(name)

    def output_topic(self) -> None:
        """Publish where alarms are published."""
        self.output(
            AlertedOutput.TOPIC_ARN, self.topic.topic_arn, "Where alarms are published; subscribe to it to be told."
        )
