"""Executions of state machines: their names, and what they tell EventBridge and CloudWatch.

moto gaps: an execution without a name has none, one that its interpreter fails on runs for ever, and nothing is told.

Sources: https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html and
https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from moto.core.exceptions import AWSError
from moto.stepfunctions.parser.api import ExecutionStatus, InvalidDefinition
from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication, Execution
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker
from moto.stepfunctions.parser.models import StepFunctionsParserBackend, stepfunctions_parser_backends

from localcloud.cloud.context import Cloud, log
from localcloud.hooks import after, wrap
from localcloud.services.cloudwatch.metrics import measure
from localcloud.services.events.behaviour import publish
from localcloud.services.stepfunctions import definitions

__all__ = ["stepfunctions_parser_backends"]
#: The metric that counts an execution, by its status.
COUNTED = {
    "RUNNING": "ExecutionsStarted",
    "SUCCEEDED": "ExecutionsSucceeded",
    "FAILED": "ExecutionsFailed",
    "TIMED_OUT": "ExecutionsTimedOut",
    "ABORTED": "ExecutionsAborted",
}


@wrap(AWSError, "__init__")
def _named(
    original: Any, self: AWSError, message: str = "", exception_type: str | None = None, status: int | None = None
) -> None:
    """Name an error of the interpreter by its code; moto gap: those have no type, and some are raised without words."""
    code = getattr(type(self), "code", None)
    name = exception_type or self.TYPE or (code if isinstance(code, str) else None)
    original(self, message or str(name), name, status)


@wrap(StepFunctionsParserBackend, "_validate_definition")
def _validate_definition(original: Any, definition: str) -> None:
    """Refuse a definition by problem and place; what only the interpreter's grammar excludes, in its words."""
    definitions.check(definition)
    try:
        original(definition=definition)
    except InvalidDefinition as error:
        raise definitions.DefinitionError(f"SCHEMA_VALIDATION_FAILED: {error.message}") from error


@wrap(StepFunctionsParserBackend, "start_execution")
def _start_execution(
    original: Any, self: StepFunctionsParserBackend, arn: str, name: str | None, execution_input: str
) -> Execution:
    if name:
        self._validate_name(name)
    execution: Execution = original(self, arn, name or str(uuid4()), execution_input)
    return execution


@wrap(ExecutionWorker, "_execution_logic")
def _execution_logic(original: Any, self: ExecutionWorker) -> None:
    """Run an execution; what the interpreter fails on fails the execution, too."""
    try:
        original(self)
    except Exception as error:
        log.exception("an execution of a state machine failed in its interpreter")
        communication: Any = self._execution_communication
        execution: Execution = communication.execution
        execution.stop_date = datetime.now(UTC)
        execution.error, execution.cause = "States.Runtime", str(error)
        execution.exec_status = ExecutionStatus.FAILED
        raise


@after(Execution, "start")
def _started(cloud: Cloud, _: None, execution: Execution) -> None:
    _tell(cloud, execution, "RUNNING")


@after(BaseExecutionWorkerCommunication, "_reflect_execution_status")
def _ended(cloud: Cloud, _: None, communication: BaseExecutionWorkerCommunication) -> None:
    execution = communication.execution
    _tell(cloud, execution, str(execution.status))
    if execution.stop_date:
        milliseconds = (execution.stop_date - execution.start_date).total_seconds() * 1000
        measure("AWS/States", "ExecutionTime", milliseconds, {"StateMachineArn": execution.state_machine_arn})


def _tell(cloud: Cloud, execution: Execution, status: str) -> None:
    """Publish the status of an execution, and count it."""
    measure("AWS/States", COUNTED[status], 1, {"StateMachineArn": execution.state_machine_arn})
    has_output = status == "SUCCEEDED"
    detail = {
        "executionArn": execution.exec_arn,
        "stateMachineArn": execution.state_machine_arn,
        "name": execution.name,
        "status": status,
        "startDate": _milliseconds(execution.start_date),
        "stopDate": _milliseconds(execution.stop_date),
        "input": execution.execution_input,
        "inputDetails": {"included": True},
        "output": json.dumps(execution.output, separators=(",", ":")) if has_output else None,
        "outputDetails": {"included": True} if has_output else None,
        "error": execution.error,
        "cause": execution.cause,
    }
    publish(cloud, "aws.states", "Step Functions Execution Status Change", detail, [execution.exec_arn])


def _milliseconds(moment: datetime | None) -> int | None:
    return int(moment.timestamp() * 1000) if moment else None
