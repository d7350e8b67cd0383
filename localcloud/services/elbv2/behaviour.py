"""Elastic Load Balancing: a load balancer that is protected from deletion cannot be deleted.

moto gap: it deletes it.
See https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeleteLoadBalancer.html for the code.
"""

from __future__ import annotations

from typing import Any

from moto.elbv2.exceptions import ELBClientError
from moto.elbv2.models import ELBv2Backend

from localcloud.hooks import wrap


@wrap(ELBv2Backend, "delete_load_balancer")
def _delete_load_balancer(original: Any, self: ELBv2Backend, arn: str) -> None:
    balancer = self.load_balancers.get(arn)
    if balancer and balancer.attrs.get("deletion_protection.enabled") == "true":
        message = f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled"
        raise ELBClientError("OperationNotPermitted", message)
    original(self, arn)
