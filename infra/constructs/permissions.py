"""Permissions that several roles have."""

from __future__ import annotations

import re
from collections.abc import Sequence

from aws_cdk import Aws, Fn, Token, aws_iam

from infra.guardrails import acknowledge


def own_namespace() -> str:
    """Return the namespace of a stack's own metrics, so that two stacks of a kind do not count into one metric.

    put_metrics(own_namespace())
    """
    return f"Groundwork/{Aws.STACK_NAME}"


def put_metrics(namespace: str) -> aws_iam.PolicyStatement:
    """Return the permission to send metrics into one namespace.

        role.add_to_policy(put_metrics(own_namespace()))

    Metrics have no ARNs, so the statement names every resource, and a condition confines it to the namespace.
    """
    return aws_iam.PolicyStatement(
        actions=["cloudwatch:PutMetricData"],
        resources=["*"],
        conditions={"StringEquals": {"cloudwatch:namespace": namespace}},
    )


def let_pull(role: aws_iam.IRole, images: Sequence[str]) -> None:
    """Let a role pull images from their repositories, where those are private ones of ECR.

        let_pull(role, [settings.image])

    An image may be a parameter, so CloudFormation takes the repository out of the image's name: what follows the
    registry, `123456789012.dkr.ecr.REGION.amazonaws.com`, up to the tag or the digest. Of an image elsewhere nothing is
    left, and the statement names no repository. The registry may be another account's or region's, whose repository
    then decides by its own policy.
    """
    repositories = [f"arn:{Aws.PARTITION}:ecr:*:*:repository{_repository(image)}" for image in images]
    role.add_to_principal_policy(
        aws_iam.PolicyStatement(
            actions=["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"], resources=list(dict.fromkeys(repositories))
        )
    )
    role.add_to_principal_policy(aws_iam.PolicyStatement(actions=["ecr:GetAuthorizationToken"], resources=["*"]))
    reason = "A repository is named; its registry may be another account's or region's, whose policy decides."
    known = [_repository(image) for image in images if not Token.is_unresolved(image)]
    finding = "IAM5[Resource::arn:<AWS::Partition>:ecr:*:*:repository{}]"
    acknowledge(role, {finding.format(repository): reason for repository in known})
    acknowledge(role, {"IAM5[Resource::*]": "A token for ECR knows no resource."})


def _repository(image: str) -> str:
    """The name of an image's repository in ECR, behind a slash; empty if the image is elsewhere."""
    if not Token.is_unresolved(image):
        match = re.match(r"\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?(/[^:@]+)", image)
        return match[1] if match else ""
    domain = "amazonaws.com"  # appended, so that there is always something behind it
    behind = Fn.select(1, Fn.split(domain, Fn.join("", [image, domain])))
    return Fn.select(0, Fn.split(":", Fn.select(0, Fn.split("@", behind))))
