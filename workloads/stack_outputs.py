"""The outputs of a deployed stack: what workloads and stacks share."""

from __future__ import annotations

import boto3

from workloads.aws import asking_aws


def stack_outputs(stack: str) -> dict[str, str]:
    """Return the outputs of a stack by name.

    Raises:
        InputError: There is no such stack, or no account or region is chosen.
        UnavailableError: AWS does not answer.
    """
    missing = (
        f"It does not exist in this account and region. Deploy it (cdk deploy {stack}), name another one (--stack), or "
        'use the local cloud (eval "$(groundwork local env)").'
    )
    with asking_aws(f"Stack {stack}", service="CloudFormation", reasons={"ValidationError": missing}):
        description = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in description.get("Outputs", [])}
