"""The parameters and answers of tasks, as Step Functions and the services write them.

moto gap: it hands parameters on as they are, which begin with a capital letter where a service's may not: the
`JobName` of a task is Batch's `jobName`.
"""

from __future__ import annotations

from typing import Any

from botocore import xform_name
from moto.core.utils import get_service_model
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service import StateTaskService

from localcloud.hooks import after


@after(StateTaskService, "_normalise_parameters")
def _named_as_the_service_does(
    _: None,
    task: StateTaskService,
    parameters: dict[str, Any],
    boto_service_name: str | None = None,
    service_action_name: str | None = None,
) -> None:
    operation = _operation(task, boto_service_name, service_action_name)
    if operation and operation.input_shape:
        task._to_boto_request(parameters, operation.input_shape)  # noqa: SLF001 - moto has it and does not call it


@after(StateTaskService, "_normalise_response")
def _named_as_a_task_does(
    _: None,
    task: StateTaskService,
    response: Any,
    boto_service_name: str | None = None,
    service_action_name: str | None = None,
) -> None:
    operation = _operation(task, boto_service_name, service_action_name)
    if operation and operation.output_shape:
        task._from_boto_response(response, operation.output_shape)  # noqa: SLF001 - moto has it and does not call it


def _operation(task: Any, service: str | None, action: str | None) -> Any:
    """Return botocore's model of the operation that a task calls; None if there is none of that name."""
    model: Any = get_service_model(task._get_boto_service_name(service))  # noqa: SLF001
    wanted = task._get_boto_service_action(action)  # noqa: SLF001
    return next((model.operation_model(name) for name in model.operation_names if xform_name(name) == wanted), None)
