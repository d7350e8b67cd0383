"""State machines: which there may be, and the interpreter that runs their executions.

moto gaps: it runs no execution unless it is told to, takes roles that do not let Step Functions in, and another
definition under a name that is taken.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from moto.core.exceptions import ServiceException
from moto.stepfunctions import responses
from moto.stepfunctions.models import StateMachine, StepFunctionBackend
from moto.stepfunctions.responses import StepFunctionResponse

from localcloud import hooks
from localcloud.access import service_calls
from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.cloud.context import Cloud
from localcloud.hooks import after, replace, wrap

SERVICE = "states.amazonaws.com"


class RoleError(ServiceException):
    """Step Functions may not assume the role of a state machine."""

    code = "AccessDeniedException"

    def __init__(self, role: str) -> None:
        reason = "nor the regional one is authorized to assume the provided role"
        super().__init__(f"Neither the global service principal {SERVICE}, {reason}: {role}")


class NameTakenError(ServiceException):
    """There is a state machine of this name, with another definition or role."""

    code = "StateMachineAlreadyExists"

    def __init__(self, arn: str) -> None:
        super().__init__(f"State Machine Already Exists: '{arn}'")


@replace(responses, "get_backend")
def _get_backend(cloud: Cloud, account: str, region: str) -> Any:
    return _interpreter(cloud)[account][region]


@cache
def _interpreter(cloud: Cloud) -> Any:
    """Return the backends that run executions, whose modules take seconds to import and take what `clients` changes."""
    from localcloud.services.stepfunctions import clients  # noqa: PLC0415

    hooks.install(cloud, clients)
    from localcloud.services.stepfunctions import executions, integrations  # noqa: PLC0415

    hooks.install(cloud, executions, integrations)
    return executions.stepfunctions_parser_backends


@wrap(StepFunctionBackend, "create_state_machine")
def _create(cloud: Cloud, original: Any, self: StepFunctionBackend, **settings: Any) -> StateMachine:
    arn = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{settings['name']}"
    _check_role(cloud, arn, settings["roleArn"])
    for machine in self.state_machines:
        if machine.arn == arn and (machine.definition, machine.roleArn) != (
            settings["definition"],
            settings["roleArn"],
        ):
            raise NameTakenError(arn)
    created: StateMachine = original(self, **settings)
    return created


@wrap(StepFunctionBackend, "update_state_machine")
def _update(  # noqa: PLR0917 - moto's parameters
    cloud: Cloud,
    original: Any,
    self: StepFunctionBackend,
    arn: str,
    definition: str | None = None,
    role_arn: str | None = None,
    **settings: Any,
) -> StateMachine:
    if role_arn is not None:
        _check_role(cloud, arn, role_arn)
    updated: StateMachine = original(self, arn, definition, role_arn, **settings)
    return updated


def _check_role(cloud: Cloud, machine: str, role: str) -> None:
    try:
        service_calls.check_trust(cloud, SERVICE, role, {"aws:sourceaccount": ACCOUNT, "aws:sourcearn": machine})
    except PermissionError as error:
        raise RoleError(role) from error


@after(StepFunctionResponse, "describe_execution")
def _described(result: Any, self: StepFunctionResponse) -> None:
    """An execution that ran out of time has ended, too."""
    execution = self.stepfunction_backend.describe_execution(self._get_param("executionArn"))
    if execution.stop_date:
        result.result["stopDate"] = execution.stop_date
