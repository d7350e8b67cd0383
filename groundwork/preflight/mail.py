"""E-mail: whoever is responsible hears of alarms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundwork.preflight.checks import check, ok, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundwork.preflight.checks import Judgement, Questions
    from groundwork.preflight.template import Template

_PENDING = "PendingConfirmation"


@check("e-mail", "cloudformation:ListStackResources", "sns:ListSubscriptions")
def mail(stack: Template, account: Questions) -> Iterator[Judgement]:
    """An e-mail address gets the alarms, and has confirmed that it wants them."""
    topics = list(stack.resources("AWS::SNS::Topic"))
    if not topics:
        return
    addresses = [
        stack.text(subscription.properties.get("Endpoint"))
        for subscription in stack.resources("AWS::SNS::Subscription")
        if stack.text(subscription.properties.get("Protocol")) == "email"
    ]
    addresses += [
        stack.text(subscription.get("Endpoint"))
        for topic in topics
        for subscription in topic.properties.get("Subscription", ())
        if subscription.get("Protocol") == "email"
    ]
    if not addresses:
        yield warning(
            "No e-mail address is set, so nobody gets the alarms.", f"Set one: -c {stack.section}.email=me@example.com"
        )
        return
    if any(topic.name in account.deployed(stack.stack) for topic in topics):
        pending = {
            subscription["Endpoint"]
            for subscription in account.ask("sns:ListSubscriptions")["Subscriptions"]
            if subscription["SubscriptionArn"] == _PENDING
        } & set(addresses)
        if pending:
            yield warning(
                f"{', '.join(sorted(pending))} has not confirmed the subscription, and gets no e-mail.",
                "Open the link in the e-mail from AWS Notifications; it is valid for three days.",
            )
            return
    yield ok(f"{', '.join(addresses)}: AWS sends an e-mail, whose link confirms the subscription.")
