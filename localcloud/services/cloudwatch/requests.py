"""What CloudWatch says about alarms and metric data, and refuses.

moto gaps: the alarms of a metric with other dimensions or statistics are named, too; two dimensions never match; tags
outlive their alarm; queries have no labels of their own.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from moto.cloudwatch import models
from moto.cloudwatch.exceptions import InvalidParameterCombination, ValidationError
from moto.cloudwatch.models import CloudWatchBackend, Dimension
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult

from localcloud.hooks import replace, wrap

MOST_DATAPOINTS = 1_440
STATES = ("INSUFFICIENT_DATA", "ALARM", "OK")


@replace(models, "are_dimensions_same")
def _are_dimensions_same(metric_dimensions: list[Dimension], dimensions: list[Dimension]) -> bool:
    return _pairs(metric_dimensions) == _pairs(dimensions)


def _pairs(dimensions: list[Dimension]) -> set[tuple[str, str]]:
    return {(str(dimension.name), str(dimension.value)) for dimension in dimensions}


@replace(CloudWatchResponse, "describe_alarms_for_metric")
def _describe_alarms_for_metric(self: CloudWatchResponse) -> ActionResult:
    dimensions = {(dimension["Name"], dimension["Value"]) for dimension in self._get_param("Dimensions", [])}
    settings = {
        "namespace": self._get_param("Namespace"),
        "metric_name": self._get_param("MetricName"),
        "statistic": self._get_param("Statistic"),
        "period": self._get_param("Period"),
        "unit": self._get_param("Unit"),
    }
    settings = {name: value for name, value in settings.items() if value is not None}
    alarms = [
        alarm
        for alarm in self.cloudwatch_backend.alarms.values()
        if alarm.rule is None
        and all(getattr(alarm, name) == value for name, value in settings.items())
        and _pairs(alarm.dimensions) == dimensions
    ]
    return ActionResult({"MetricAlarms": alarms})


@wrap(CloudWatchResponse, "describe_alarms")
def _describe_alarms(original: Any, self: CloudWatchResponse) -> ActionResult:
    """Composite alarms are described to those who ask for them."""
    result: Any = original(self).result
    kinds = self._get_param("AlarmTypes") or ["MetricAlarm"]
    if "CompositeAlarm" not in kinds:
        result["CompositeAlarms"] = []
    if "MetricAlarm" not in kinds:
        result["MetricAlarms"] = []
    return ActionResult(result)


@wrap(CloudWatchBackend, "delete_alarms")
def _delete_alarms(original: Any, self: CloudWatchBackend, alarm_names: list[str]) -> None:
    arns = [self.alarms[name].alarm_arn for name in alarm_names if name in self.alarms]
    original(self, alarm_names)
    for arn in arns:
        self.tagger.delete_all_tags_for_resource(arn)


@wrap(CloudWatchBackend, "set_alarm_state")
def _set_alarm_state(original: Any, self: CloudWatchBackend, *settings: str) -> None:
    state = settings[-1]
    if state not in STATES:
        message = f"1 validation error detected: Value '{state}' at 'stateValue' failed to satisfy constraint: "
        raise ValidationError(f"{message}Member must satisfy enum value set: [{', '.join(STATES)}]")
    original(self, *settings)


@wrap(CloudWatchResponse, "get_metric_data")
def _get_metric_data(original: Any, self: CloudWatchResponse) -> ActionResult:
    queries = self._get_params().get("MetricDataQueries", [])
    result: Any = original(self).result
    labels = _labels([query for query in queries if "MetricStat" in query and not query.get("Label")])
    for series in result["MetricDataResults"]:
        series["label"] = labels.get(series["id"], series["label"])
    return ActionResult({"Messages": [], **result})


def _labels(queries: list[dict[str, Any]]) -> dict[str, str]:
    """Labels for queries without one: the metric's name, and the statistic and the period where these differ."""
    differing = [key for key in ("Stat", "Period") if len({str(query["MetricStat"][key]) for query in queries}) > 1]
    names = {query["MetricStat"]["Metric"]["MetricName"] for query in queries}
    if len(names) > 1:
        differing = []
    return {
        query["Id"]: " ".join(
            [query["MetricStat"]["Metric"]["MetricName"], *(str(query["MetricStat"][key]) for key in differing)]
        )
        for query in queries
    }


@wrap(CloudWatchBackend, "get_metric_statistics")
def _get_metric_statistics(  # noqa: PLR0917 - moto's parameters
    original: Any,
    self: CloudWatchBackend,
    namespace: str,
    name: str,
    begin: datetime,
    end: datetime,
    period: int,
    *args: Any,
    **settings: Any,
) -> Any:
    count = int((end - begin).total_seconds() // period)
    if count > MOST_DATAPOINTS:
        message = f"You have requested up to {count} datapoints, which exceeds the limit of {MOST_DATAPOINTS}. You "
        message += "may reduce the datapoints requested by increasing Period, or decreasing the time range."
        raise InvalidParameterCombination(message)
    return original(self, namespace, name, begin, end, period, *args, **settings)


@wrap(CloudWatchBackend, "_validate_parameters_put_metric_data")
def _check_datum(original: Any, self: CloudWatchBackend, metric: dict[str, Any], number: int) -> None:
    if metric.get("Values") and "Value" in metric:
        place = f"MetricData.member.{number}"
        message = f"The parameters {place}.Value and {place}.Values are mutually exclusive and you have specified both."
        raise InvalidParameterCombination(message)
    original(self, metric, number)
