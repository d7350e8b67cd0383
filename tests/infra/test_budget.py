"""The budget: there if somebody sets one, and it tells them in time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from aws_cdk import App

from infra.budget import Budget
from infra.check.lint import lint
from infra.config import Config, ConfigError
from infra.cost.estimate import estimate

from .conftest import only

CONTEXT = {"budget.limit_usd": "50", "budget.email": "you@example.com"}


def test_it_writes_before_the_limit_is_reached(tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path))
    Budget(app, "Budget", Config.from_context(CONTEXT))
    app.synth()
    assert lint(tmp_path.glob("*.template.json")) == []
    template = json.loads((tmp_path / "Budget.template.json").read_text())
    budget = only(template, "AWS::Budgets::Budget")
    assert budget["Budget"]["BudgetLimit"] == {"Amount": 50, "Unit": "USD"}
    told = [
        (each["Notification"]["NotificationType"], each["Notification"]["Threshold"], each["Subscribers"])
        for each in budget["NotificationsWithSubscribers"]
    ]
    you = [{"SubscriptionType": "EMAIL", "Address": "you@example.com"}]
    assert told == [("ACTUAL", 80, you), ("FORECASTED", 100, you)]
    assert estimate("Budget", template).idle == 0


def test_without_a_limit_there_is_none() -> None:
    assert Config().budget.limit_usd == 0


@pytest.mark.parametrize(
    ("context", "says"),
    [
        ({"budget.limit_usd": "50"}, "limit_usd needs budget.email"),
        (CONTEXT | {"budget.limit_usd": "-1"}, "budget.limit_usd"),
        (CONTEXT | {"budget.email": "you"}, "must be an e-mail address"),
    ],
)
def test_a_budget_that_cannot_work_is_refused(context: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Config.from_context(context)
