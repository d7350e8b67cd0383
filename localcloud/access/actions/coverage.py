"""Operations that are judged by their action, whatever they act on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from moto.core.utils import get_service_model

from localcloud.access.actions import derivation, reference
from localcloud.access.actions.derivation import Call, Need

ACCOUNT, REGION = "123456789012", "us-east-1"
_INTRODUCTION = """\
The local cloud derives the action of IAM and the resource of a request from AWS's service authorization
reference and from botocore's models. For the operations in this table, an allow of the action on any resource
is enough, and only a deny on all resources counts. Of those in the first column, the request does not say on
which resource it acts, or names it by an id that the ARNs of IAM do not have. Those in the second column are
not in the reference.

This page is written by `python -m localcloud.access.actions.coverage docs/local-cloud-actions.md`."""
#: The services of the stacks, by botocore's names.
SERVICES = (
    "apigateway",
    "apigatewayv2",
    "autoscaling",
    "batch",
    "cloudformation",
    "cloudwatch",
    "dynamodb",
    "dynamodbstreams",
    "ec2",
    "ecr",
    "elbv2",
    "events",
    "iam",
    "kms",
    "lambda",
    "logs",
    "opensearch",
    "rds",
    "s3",
    "scheduler",
    "secretsmanager",
    "service-quotas",
    "sns",
    "sqs",
    "ssm",
    "stepfunctions",
    "sts",
    "timestream-query",
    "timestream-write",
)


def operations(service: str) -> list[str]:
    """Return the operations of a service."""
    return list(get_service_model(service).operation_names)


def by_action_alone(service: str) -> list[str]:
    """Return the operations of a service for which a request does not tell the resource."""
    return [name for name in operations(service) if any(need.resource is None for need in _example(service, name))]


def unknown(service: str) -> list[str]:
    """Return the operations whose action is not in the service authorization reference."""
    return [
        name
        for name in operations(service)
        if derivation.special_needs(service, name) is None
        for action in derivation.actions(service, name)
        if not reference.exists(Call(service, name, {}, ACCOUNT, REGION).prefix, action)
    ]


def page() -> str:
    """Return the page of the documentation that lists them."""
    lines = ["# Operations judged by their action only", "", *_INTRODUCTION.splitlines(), ""]
    lines += ["| service | the request does not tell the resource | not in the reference |", "|---|---|---|"]
    for service in SERVICES:
        missing = unknown(service)
        alone = [name for name in by_action_alone(service) if name not in missing]
        if alone or missing:
            lines.append(f"| {service} | {', '.join(alone)} | {', '.join(missing)} |")
    return "\n".join([*lines, ""])


def _example(service: str, operation: str) -> list[Need]:
    """Return what a request with all parameters needs, of an example that tells most."""
    if derivation.special_needs(service, operation):
        return []
    shape = get_service_model(service).operation_model(operation).input_shape
    prefix = Call(service, operation, {}, ACCOUNT, REGION).prefix
    best: list[Need] = []
    for arn in ["arn:aws:none:::none", *_examples(prefix, derivation.actions(service, operation))]:
        call = Call(service, operation, _filled(shape, arn) if shape else {}, ACCOUNT, REGION)
        best = [need for need in derivation.needs(call, lambda *_: None) if not need.action.startswith("iam:PassRole")]
        if all(need.resource for need in best):
            break
    return best


def _examples(prefix: str, actions: tuple[str, ...]) -> Iterator[str]:
    for action in actions:
        for kind in reference.resource_types(prefix, action) if reference.exists(prefix, action) else ():
            names = dict.fromkeys(kind.placeholders, "name")
            yield kind.fill({"Partition": "aws", "Region": REGION, "Account": ACCOUNT, **names})


def _filled(shape: Any, arn: str, name: str = "", depth: int = 0) -> Any:
    """Example parameters of a shape: ARNs where a name says so, else a name."""
    match shape.type_name:
        case "structure" if depth < 3:  # noqa: PLR2004 - resources are not named deeper down
            return {key: _filled(member, arn, key, depth + 1) for key, member in shape.members.items()}
        case "list" if depth < 3:  # noqa: PLR2004
            return [_filled(shape.member, arn, name, depth + 1)]
        case "string":
            return arn if name.lower().endswith(("arn", "arns", "arnlist")) else "name"
        case _:
            return None


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
