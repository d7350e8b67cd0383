"""How properties of CloudFormation become parameters of AWS Budgets, where more than a name differs."""

from __future__ import annotations

from localcloud.cloudformation.translation import Properties


def budget(values: Properties) -> Properties:
    """Put the name into the budget itself."""
    return {**values, "Budget": {"BudgetName": values["BudgetName"], **values["Budget"]}}
