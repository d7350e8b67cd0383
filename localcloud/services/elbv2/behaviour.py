"""Elastic Load Balancing: a load balancer that is protected from deletion cannot be deleted.

moto gaps: it deletes it, and refuses to deregister a target that is not registered.
See https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeleteLoadBalancer.html for the code, and
API_DeregisterTargets.html there.
"""

from __future__ import annotations

from typing import Any

from moto.elbv2.exceptions import ELBClientError
from moto.elbv2.models import ELBv2Backend, FakeTargetGroup

from localcloud.hooks import wrap


@wrap(ELBv2Backend, "delete_load_balancer")
def _delete_load_balancer(original: Any, self: ELBv2Backend, arn: str) -> None:
    balancer = self.load_balancers.get(arn)
    if balancer and balancer.attrs.get("deletion_protection.enabled") == "true":
        message = f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled"
        raise ELBClientError("OperationNotPermitted", message)
    original(self, arn)


@wrap(FakeTargetGroup, "deregister")
def _deregister(original: Any, self: FakeTargetGroup, targets: list[dict[str, Any]]) -> None:
    original(self, [target for target in targets if target["Id"] in self.targets])
