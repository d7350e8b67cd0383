"""A budget over the whole account: AWS writes before a month costs more than somebody wants to pay."""

from __future__ import annotations

from aws_cdk import aws_budgets

from infra.settings.budget import BudgetSettings
from infra.stack import GroundworkStack

#: When AWS writes: type of the figure, and percent of the limit.
THRESHOLDS = (("ACTUAL", 80), ("FORECASTED", 100))


class Budget(GroundworkStack):
    """The budget; in the app only if `budget.limit_usd` is set."""

    DESCRIPTION = "A budget over the account's costs of a month, with e-mails before it is spent."
    SECTION = "budget"
    settings: BudgetSettings

    def build(self) -> None:
        """Make the budget."""
        cfn_budget = aws_budgets.CfnBudget
        budget = cfn_budget(
            self,
            "Budget",
            budget=cfn_budget.BudgetDataProperty(
                budget_type="COST",
                time_unit="MONTHLY",
                budget_limit=cfn_budget.SpendProperty(amount=self.settings.limit_usd, unit="USD"),
            ),
            notifications_with_subscribers=[
                cfn_budget.NotificationWithSubscribersProperty(
                    notification=cfn_budget.NotificationProperty(
                        notification_type=kind,
                        comparison_operator="GREATER_THAN",
                        threshold=percent,
                        threshold_type="PERCENTAGE",
                    ),
                    subscribers=[cfn_budget.SubscriberProperty(subscription_type="EMAIL", address=self.settings.email)],
                )
                for kind, percent in THRESHOLDS
            ],
        )
        self.output("BudgetName", budget.ref, "The budget, in Billing and Cost Management.")
