"""The outputs of a deployed stack: what workloads and stacks share."""

from __future__ import annotations

import boto3

from workloads.aws import AWS_ERRORS, explained


def stack_outputs(stack: str) -> dict[str, str]:
    """The outputs of a stack by name.

    Raises:
        InputError: There is no such stack, or no account or region is chosen.
        UnavailableError: AWS does not answer.
    """
    try:
        found = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    except AWS_ERRORS as error:
        missing = (
            f"it does not exist in this account and region. Deploy it (cdk deploy {stack}), give another's name "
            '(--stack), or use the local cloud (eval "$(groundwork local env)")'
        )
        raise explained(f"stack {stack}", error, reasons={"ValidationError": missing}) from error
    return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}
