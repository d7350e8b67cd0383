"""A budget over the whole account, or over an environment: AWS writes before a month costs more than is wanted."""

from __future__ import annotations

from aws_cdk import aws_budgets

from contract.tags import ENVIRONMENT
from infra.settings.budget import BudgetSettings
from infra.stack import GroundworkStack

#: When AWS writes: type of the figure, and percent of the limit.
THRESHOLDS = (("ACTUAL", 80), ("FORECASTED", 100))


class Budget(GroundworkStack):
    """The budget; in the app only if `budget.limit_usd` is set.

    That of an environment counts what carries its tag, which must be activated as a cost allocation tag.
    """

    DESCRIPTION = "A budget over the account's costs of a month, with e-mails before it is spent."
    SECTION = "budget"
    settings: BudgetSettings

    def build(self) -> None:
        """Make the budget."""
        environment = self.config.environment
        cfn_budget = aws_budgets.CfnBudget
        budget = cfn_budget(
            self,
            "Budget",
            budget=cfn_budget.BudgetDataProperty(
                budget_type="COST",
                time_unit="MONTHLY",
                cost_filters={"TagKeyValue": [f"user:{ENVIRONMENT}${environment}"]} if environment else None,
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
