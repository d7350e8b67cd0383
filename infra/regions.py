"""Where AWS offers what is not in every region: a rule in the template says so before anything is created."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import yaml
from aws_cdk import Aws, CfnRule, CfnRuleAssertion, Fn, Token
from constructs import Construct


class Offer(NamedTuple):
    """Where a service is offered.

    Attributes:
        name: The service's name.
        rule: The name of the rule.
        instead: What to do in another region, as a clause.
        source: Where AWS says so.
        regions: The regions.
    """

    name: str
    rule: str
    instead: str
    source: str
    regions: list[str]


OFFERS = {
    kind: Offer(**values)
    for kind, values in yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8")).items()
}
"""The offers by resource type; what is not among them is in every region."""


def only_where_offered(scope: Construct, kind: str, *, chosen: tuple[str, str] | None = None) -> CfnRule:
    """Refuse a deployment to a region that lacks a service, by a rule of the template.

        only_where_offered(self, "AWS::Neptune::DBCluster")

    Args:
        scope: Where the rule stands.
        kind: The resource type, one of `OFFERS`.
        chosen: The engine that is chosen, and the one that needs the service; in a console template, the rule holds
            only where they are the same.
    """
    offer = OFFERS[kind]
    condition = Fn.condition_equals(*chosen) if chosen and Token.is_unresolved(chosen[0]) else None
    description = f"{offer.name} is not offered in this region: {offer.instead}: {', '.join(offer.regions)}"
    return CfnRule(
        scope,
        offer.rule,
        rule_condition=condition,
        assertions=[
            CfnRuleAssertion(assert_=Fn.condition_contains(offer.regions, Aws.REGION), assert_description=description)
        ],
    )
