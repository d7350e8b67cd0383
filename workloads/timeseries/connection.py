"""Find the store that the stack DevOpsMetrics deployed, by the stack's outputs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from contract.errors import InputError, phrase
from contract.stacks import DevOpsMetricsOutput, StackName, TimeSeriesOutput
from contract.timeseries import address, token_in
from workloads.secrets import CURRENT, read_secret
from workloads.stack_outputs import stack_outputs
from workloads.timeseries.influxdb import InfluxDB
from workloads.timeseries.liveanalytics import LiveAnalytics
from workloads.timeseries.rolled_up import RolledUp
from workloads.timeseries.schema import Schema

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workloads.timeseries.store import MetricStore

STACK = StackName.DEVOPS_METRICS


def connect(stack: str = STACK, schema: Schema | None = None, *, run: int | None = None) -> MetricStore:
    """Return the store of a deployed stack, whichever engine it has.

    Args:
        stack: Name of the stack.
        schema: Names of dimensions and measures.
        run: The number of a run that writes, as `marks.run_of` gives it.

    Raises:
        InputError: There is no such stack, or it is not one of these.
        UnavailableError: AWS cannot be reached.
    """
    outputs = stack_outputs(stack)
    if "Engine" not in outputs:
        raise InputError(f"Stack {stack}: The stack has no output Engine. Name a stack that is a {STACK}.")
    return store_of(outputs, schema or Schema(), run=run)


def store_of(outputs: Mapping[str, str], schema: Schema, *, run: int | None = None) -> MetricStore:
    """Return the store that a stack's outputs name, whichever engine it has, with rollups where the stack has them.

    Raises:
        InputError: Its secret cannot be read.
        UnavailableError: Secrets Manager is not available.
    """
    if outputs[TimeSeriesOutput.ENGINE] == "liveanalytics":
        return LiveAnalytics(outputs[TimeSeriesOutput.DATABASE_NAME], outputs[TimeSeriesOutput.TABLE_NAME], schema)
    place = (
        address(outputs[TimeSeriesOutput.ENDPOINT], outputs[TimeSeriesOutput.ENGINE]),
        outputs[TimeSeriesOutput.DATABASE_NAME],
        outputs[TimeSeriesOutput.TABLE_NAME],
    )
    token = _token(outputs[TimeSeriesOutput.SECRET_ARN])
    if rollups := outputs.get(DevOpsMetricsOutput.ROLLUP_BUCKET_NAME):
        return RolledUp(*place, rollups=rollups, token=token, schema=schema, run=run)
    return InfluxDB(*place, token=token, schema=schema)


def _token(secret: str) -> str:
    try:
        return token_in(read_secret(secret))
    except ValueError as error:
        raise InputError(f"Secret {secret}: {phrase(error)}.") from error


def database_access(secret: str, stage: str = CURRENT) -> dict[str, Any]:
    """Return what a database's secret holds: `username`, `password`, `host`, `port`, and the name of the database.

    Args:
        secret: Its ARN or name.
        stage: The label of the version to read.

    Raises:
        InputError: The secret cannot be read, or is not a database's.
        UnavailableError: Secrets Manager is not available.
    """
    names = {"username", "password", "host", "port"}
    try:
        access: dict[str, Any] = json.loads(read_secret(secret, stage=stage))
    except ValueError as error:
        raise InputError(f"Secret {secret}: The secret is not JSON.") from error
    if not isinstance(access, dict) or not names <= access.keys():
        required = " and ".join(sorted(names, reverse=True))
        raise InputError(f"Secret {secret}: The secret is not a JSON object with {required}.")
    return access
