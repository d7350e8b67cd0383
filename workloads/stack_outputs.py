"""The outputs of a deployed stack: what workloads and stacks share."""

from __future__ import annotations

import boto3
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

from workloads.errors import InputError, UnavailableError

_LOCAL = 'use the local cloud (eval "$(groundwork local env)")'
_ACCOUNT = "Choose an account and a region (aws configure)"


def stack_outputs(stack: str) -> dict[str, str]:
    """The outputs of a stack by name.

    Raises:
        InputError: There is no such stack, or no account or region is chosen.
        UnavailableError: AWS does not answer.
    """
    try:
        found = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:
        reason = error.response["Error"].get("Message", error)
        raise InputError(
            f"stack {stack}: {reason}. Deploy it (cdk deploy {stack}), give its name (--stack), or {_LOCAL}"
        ) from error
    except (NoCredentialsError, NoRegionError) as error:
        raise InputError(f"stack {stack}: {error} {_ACCOUNT}, or {_LOCAL}") from error
    except BotoCoreError as error:
        raise UnavailableError(f"stack {stack}: AWS cannot be reached: {error}") from error
    return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}
