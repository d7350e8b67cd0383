"""Service-linked roles: those that a service needs and does not create by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundwork.preflight.checks import check, ok, refused, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundwork.preflight.checks import Judgement, Questions
    from groundwork.preflight.template import Template

_OPENSEARCH, _SPOT = "opensearchservice.amazonaws.com", "spot.amazonaws.com"
_ROLES = {
    _OPENSEARCH: "AWSServiceRoleForAmazonOpenSearchService",
    _SPOT: "AWSServiceRoleForEC2Spot",
}


@check("service-linked roles", "iam:GetRole", "cloudformation:ListStackResources")
def roles(stack: Template, account: Questions) -> Iterator[Judgement]:
    """Service-linked roles that nothing creates by itself are there, and those that the stack creates are not."""
    created = {
        stack.text(resource.properties["AWSServiceName"]): resource.name
        for resource in stack.resources("AWS::IAM::ServiceLinkedRole")
    }
    for service, name in created.items():
        is_new = name not in account.deployed(stack.stack)
        role = _ROLES.get(service)
        if role and is_new and account.find("iam:GetRole", RoleName=role):
            yield refused(
                f"The stack creates the role {role}, which the account has already.",
                "Leave the setting search_service_role false.",
            )
    domains = stack.resources("AWS::OpenSearchService::Domain")
    if any("VPCOptions" in domain.properties for domain in domains) and _OPENSEARCH not in created:
        if account.find("iam:GetRole", RoleName=_ROLES[_OPENSEARCH]):
            yield ok(f"{_ROLES[_OPENSEARCH]} exists.")
        else:
            yield refused(
                f"OpenSearch Service cannot enter a VPC: the account has no role {_ROLES[_OPENSEARCH]}.",
                f"Deploy once with -c data_ecosystem.search_service_role=true; or: {_creation(_OPENSEARCH)}",
            )
    if any(launch.spot for launch in stack.launches()):
        if account.find("iam:GetRole", RoleName=_ROLES[_SPOT]):
            yield ok(f"{_ROLES[_SPOT]} exists.")
        else:
            yield warning(
                f"AWS Batch cannot start spot instances: the account has no role {_ROLES[_SPOT]}.", _creation(_SPOT)
            )


def _creation(service: str) -> str:
    return f"aws iam create-service-linked-role --aws-service-name {service}"
