"""Service-linked roles: their names and policies, and which of them the account has.

moto gaps: it makes the name of a role from that of its service, which is right for few services, gives it no policy,
creates a role that exists, and takes a suffix for every service.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from moto.iam.exceptions import InvalidInput, NotFoundException
from moto.iam.models import IAMBackend, Role, iam_backends

from localcloud.cloud.account import ACCOUNT
from localcloud.cloud.context import Cloud
from localcloud.hooks import replace, wrap

#: The name of each service's role after its prefix, and the role's policy.
ROLES: dict[str, tuple[str, str]] = {
    f"{service}.amazonaws.com": (name, policy)
    for service, (name, policy) in yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text()).items()
}
PREFIX = "AWSServiceRoleFor"
#: The services that an established account has used.
USED = ("autoscaling", "batch", "ecs", "opensearchservice", "rds", "spot", "spotfleet", "timestreamforinfluxdb")
#: Services that may have several roles, each with a suffix of its own.
SUFFIXED = {f"{service}.amazonaws.com" for service in ("autoscaling", "connect", "lexv2")}
OPENSEARCH = f"{PREFIX}{ROLES['opensearchservice.amazonaws.com'][0]}"


@replace(IAMBackend, "create_service_linked_role")
def _create(self: IAMBackend, service_name: str, description: str, suffix: str) -> Role:
    if suffix and service_name not in SUFFIXED:
        raise InvalidInput(f"Custom suffix is not allowed for {service_name}")
    known, policy = ROLES.get(service_name, (service_name.split(".", maxsplit=1)[0].capitalize(), ""))
    name = f"{PREFIX}{known}" + (f"_{suffix}" if suffix else "")
    if any(role.name == name for role in self.roles.values()):
        raise InvalidInput(f"Service role name {name} has been taken in this account, please try a different suffix.")
    statement = {"Action": "sts:AssumeRole", "Effect": "Allow", "Principal": {"Service": service_name}}
    role = self.create_role(
        name,
        json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        f"/aws-service-role/{service_name}/",
        permissions_boundary=None,
        description=description,
        tags=[],
        max_session_duration="3600",
        linked_service=service_name,
    )
    with suppress(NotFoundException):  # moto does not have the policies of all services
        self.attach_role_policy(f"arn:aws:iam::aws:policy/aws-service-role/{policy}", name)
    return role


@wrap(IAMBackend, "delete_service_linked_role")
def _delete(original: Any, self: IAMBackend, role_name: str) -> str:
    role = self.get_role(role_name)
    for policy in [*role.managed_policies]:
        self.detach_role_policy(policy, role_name)
    return f"task{role.path}{role_name}/{original(self, role_name)}"


def seed(cloud: Cloud) -> None:
    """Give an established account the roles of the services that it has used."""
    if cloud.settings.account == "established":
        for service in USED:
            iam_backends[ACCOUNT]["aws"].create_service_linked_role(f"{service}.amazonaws.com", "", "")
