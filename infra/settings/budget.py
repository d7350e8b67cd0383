"""Settings of the stack Budget."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from infra.settings.setting import Settings, setting
from infra.settings.types import EmailAddress


class BudgetSettings(Settings):
    """A limit to the account's costs of a month, and who is told."""

    limit_usd: int = setting(
        0, "What the account may cost a month, in USD; 0: no budget.", group="Budget", ge=0, le=1000000
    )
    email: EmailAddress = setting(
        "",
        "Address that AWS writes to at 80 % of the limit, and when the limit is forecast to be passed.",
        group="Budget",
    )

    @model_validator(mode="after")
    def _tells_somebody(self) -> Self:
        if self.limit_usd and not self.email:
            raise ValueError("limit_usd needs budget.email: a budget that tells nobody limits nothing")
        return self
