"""What Lambda refuses of a permission for a function.

moto gaps: it takes any action, principal and source, and the same statement twice. A permission for an alias goes into
the policy of a version, and can be taken back only from the function.

The words are those that Lambda has answered to the public tests that others have validated on AWS.
"""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from moto.awslambda.exceptions import (
    InvalidParameterValueException,
    LambdaClientError,
    ValidationException,
)
from moto.awslambda.models import LambdaBackend
from moto.awslambda.policy import Policy
from moto.awslambda.responses import LambdaResponse
from moto.core.utils import get_service_model

from localcloud.access import resources
from localcloud.cloud.account import ACCOUNT
from localcloud.hooks import replace
from localcloud.services.awslambda import qualifiers

_IN_BODY = ("StatementId", "Action", "Principal", "SourceArn", "SourceAccount", "EventSourceToken", "PrincipalOrgID")
_SERVICE = re.compile(r"[\w-]+(?:\.[\w-]+)*\.(?:amazonaws|amazon)\.(?:com|com\.cn)")
_OF_IAM = re.compile(r"arn:aws:(?:iam|sts)::(\d{12}):(?:root|(role|user|assumed-role|federated-user)/.+)")
URL_ACTION = "lambda:InvokeFunctionUrl"


class StatementExistsError(LambdaClientError):
    """A policy has each statement once."""

    code = 409

    def __init__(self, name: str) -> None:
        super().__init__(
            "ResourceConflictException",
            f"The statement id ({name}) provided already exists. Please provide a new statement id, or remove the "
            "existing statement.",
        )


@replace(LambdaBackend, "add_permission")
def _add_permission(self: LambdaBackend, function_name: str, qualifier: str | None, raw: str) -> Any:
    permission: dict[str, Any] = json.loads(raw)
    _check_patterns(permission)
    if not _is_principal(str(permission.get("Principal", ""))):
        raise InvalidParameterValueException(
            "The provided principal was invalid. Please check the principal and try again."
        )
    if "FunctionUrlAuthType" in permission and permission.get("Action") != URL_ACTION:
        raise InvalidParameterValueException(f"FunctionUrlAuthType is only supported for {URL_ACTION} action")
    target = qualifiers.named(function_name, qualifier)
    if target.qualifier == qualifiers.LATEST:
        raise InvalidParameterValueException("We currently do not support adding policies for $LATEST.")
    policy: Policy = qualifiers.find(self, target).policy
    if any(statement.get("Sid") == permission.get("StatementId") for statement in policy.statements):
        raise StatementExistsError(str(permission["StatementId"]))
    return policy.add_statement(raw)[0]


@replace(LambdaBackend, "get_policy")
def _get_policy(self: LambdaBackend, function_name: str, qualifier: str | None = None) -> str:
    policy: Policy = qualifiers.find(self, qualifiers.named(function_name, qualifier)).policy
    return policy.wire_format()


@replace(LambdaResponse, "remove_permission")
def _remove_permission(self: LambdaResponse) -> tuple[int, dict[str, Any], str]:
    name, _, statement = unquote(self.path).rsplit("/", 3)[-3:]
    target = qualifiers.named(name, self._get_param("Qualifier"))
    qualifiers.find(self.backend, target).policy.del_statement(statement, self._get_param("RevisionId") or "")
    return HTTPStatus.NO_CONTENT, {"status": HTTPStatus.NO_CONTENT}, ""


def _check_patterns(permission: dict[str, Any]) -> None:
    """Refuse a value that the API's own description excludes, as the front of every service of AWS does."""
    members = get_service_model("lambda").operation_model("AddPermission").input_shape.members
    for name in _IN_BODY:
        value, pattern = permission.get(name), members[name].metadata["pattern"]
        if value is not None and not re.fullmatch(pattern, str(value)):
            place = name[0].lower() + name[1:]
            raise ValidationException(str(value), place, f"Member must satisfy regular expression pattern: {pattern}")


def _is_principal(text: str) -> bool:
    """Return whether a text names a service, an account, a user or role that exists, or everybody."""
    if text == "*" or re.fullmatch(r"\d{12}", text) or _SERVICE.fullmatch(text):
        return True
    match = _OF_IAM.fullmatch(text)
    if match is None or match[1] != ACCOUNT or match[2] not in {"role", "user"}:
        return match is not None
    return resources.find(f"iam/{match[2]}", text.rpartition("/")[2]) is not None
