"""Service-linked roles: their names, and which of them the account has.

moto gaps: it makes the name of a role from that of its service, which is right for few services, and creates a role
that exists. See https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_aws-services-that-work-with-iam.html.
"""

from __future__ import annotations

from typing import Any

from moto.iam.exceptions import InvalidInput
from moto.iam.models import SERVICE_NAME_CONVERSION, IAMBackend, Role, iam_backends

from localcloud.cloud import account_age
from localcloud.cloud.account import ACCOUNT
from localcloud.hooks import wrap

NAMES = {
    "autoscaling": "AutoScaling",
    "batch": "Batch",
    "ecs": "ECS",
    "opensearchservice": "AmazonOpenSearchService",
    "rds": "RDS",
    "spot": "EC2Spot",
    "spotfleet": "EC2SpotFleet",
    "timestreamforinfluxdb": "TimestreamInfluxDB",
}
OPENSEARCH = f"AWSServiceRoleFor{NAMES['opensearchservice']}"


@wrap(IAMBackend, "create_service_linked_role")
def _create_service_linked_role(
    original: Any, self: IAMBackend, service_name: str, description: str, suffix: str
) -> Role:
    name = f"AWSServiceRoleFor{NAMES.get(service_name.split('.', maxsplit=1)[0], '')}"
    if any(role.name == name for role in self.roles.values()):
        raise InvalidInput(f"Service role name {name} has been taken in this account, please try a different suffix.")
    role: Role = original(self, service_name, description, suffix)
    return role


def seed() -> None:
    """Tell moto the names of the roles, and give an established account those of the services that it has used."""
    SERVICE_NAME_CONVERSION.update(NAMES)
    if not account_age.is_new():
        for service in NAMES:
            iam_backends[ACCOUNT]["aws"].create_service_linked_role(f"{service}.amazonaws.com", "", "")
