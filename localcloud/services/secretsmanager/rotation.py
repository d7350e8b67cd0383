"""Rotation: a function makes the next version of a secret, in four steps.

moto gaps: the steps run before the request is answered, one that fails does not stop the others, a secret without a
function is rotated, what a later request leaves out is forgotten, and no permission is needed.

Source: https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
"""

from __future__ import annotations

import json
import time
from typing import Any

from moto.secretsmanager.exceptions import (
    InvalidParameterException,
    InvalidRequestException,
    OperationNotPermittedOnReplica,
    SecretsManagerClientError,
)
from moto.secretsmanager.models import FakeSecret, ReplicaSecret, SecretsManagerBackend

from localcloud.access import service_calls
from localcloud.cloud.context import Cloud
from localcloud.hooks import replace
from localcloud.services.awslambda.behaviour import invoke
from localcloud.services.secretsmanager.versions import CURRENT, DAY, PENDING, attach, labelled

SERVICE = "secretsmanager.amazonaws.com"
STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
DAYS = "AutomaticallyAfterDays"
NO_FUNCTION = "No Lambda rotation function ARN is associated with this secret."
NO_PERMISSION = (
    "Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants access to the "
    f"principal {SERVICE}."
)
IN_PROGRESS = "A previous rotation isn't complete. That rotation will be reattempted."


@replace(SecretsManagerBackend, "rotate_secret")
def _rotate_secret(  # noqa: PLR0917 - moto's parameters
    cloud: Cloud,
    self: SecretsManagerBackend,
    secret_id: str,
    client_request_token: str,
    rotation_lambda_arn: str | None = None,
    rotation_rules: dict[str, Any] | None = None,
    rotate_immediately: bool = True,
) -> str:
    """Set how a secret is rotated, answer, and let its function take the steps.

    Raises:
        InvalidRequestException: The secret has no function, or an earlier rotation has not ended.
        SecretsManagerClientError: ``AccessDeniedException``: the function's policy does not let Secrets Manager in.
    """
    secret = self.describe_secret(secret_id)
    if isinstance(secret, ReplicaSecret):
        raise OperationNotPermittedOnReplica
    function = rotation_lambda_arn or secret.rotation_lambda_arn
    if not function:
        raise InvalidRequestException(NO_FUNCTION)
    days = (rotation_rules or {}).get(DAYS)
    if days is not None and not 1 <= days <= 1000:  # noqa: PLR2004
        raise InvalidParameterException(f"RotationRules.{DAYS} must be within 1-1000.")
    try:
        service_calls.check(cloud, SERVICE, function, secret.arn)
        cloud.client("lambda").get_function(FunctionName=function)
    except Exception as error:
        raise SecretsManagerClientError("AccessDeniedException", NO_PERMISSION) from error
    with cloud.lock("secretsmanager"):
        pending = labelled(secret, PENDING)
        is_retried = pending is not None and pending != labelled(secret, CURRENT)
        secret.rotation_requested = secret.rotation_enabled = True
        secret.rotation_lambda_arn = function
        secret.auto_rotate_after_days = days or secret.auto_rotate_after_days
        if pending is None or not is_retried:
            pending = client_request_token
            secret.versions[pending] = {
                "createdate": round(time.time(), 3),
                "version_id": pending,
                "version_stages": [],
            }
            attach(secret, pending, [PENDING])
    cloud.background(_rotate, cloud, secret, pending, STEPS if rotate_immediately else ("testSecret",))
    if is_retried and pending != client_request_token:
        raise InvalidRequestException(IN_PROGRESS)
    return json.dumps({"ARN": secret.arn, "Name": secret.name, "VersionId": pending})


def _rotate(cloud: Cloud, secret: FakeSecret, version: str, steps: tuple[str, ...]) -> None:
    """Let the function take the steps, up to one that fails. The version then stays ``AWSPENDING``."""
    for step in steps:
        event = {"Step": step, "SecretId": secret.arn, "ClientRequestToken": version}
        result, failed = invoke(cloud, secret.rotation_lambda_arn, event)
        if failed:
            raise RuntimeError(f"{secret.name}: The rotation stopped at {step}. {result}")
    with cloud.lock("secretsmanager"):
        if labelled(secret, CURRENT) == version:
            secret.remove_version_stages_from_old_versions([PENDING])
            secret.last_rotation_date = int(time.time())
        elif len(steps) == 1 and labelled(secret, PENDING) == version:  # it was only a test
            del secret.versions[version]
        if secret.auto_rotate_after_days:
            secret.next_rotation_date = int(time.time()) + secret.auto_rotate_after_days * DAY
