"""What PutMetricAlarm refuses: settings that CloudWatch does not take, and those that the local cloud cannot judge.

The rules are those of the API reference of PutMetricAlarm
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html); moto checks two of them.
Allowed values are botocore's. Rules about periods are in ``rules.yaml``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from moto.cloudwatch.exceptions import InvalidParameterCombination, ValidationError
from moto.core.utils import get_service_model

if TYPE_CHECKING:
    from botocore.model import StringShape

#: Settings of alarms that are refused rather than misjudged.
BEYOND = {
    "metric_data_queries": "several metrics",
    "extended_statistic": "percentiles",
    "threshold_metric_id": "anomaly detection bands",
}
#: Comparisons with a band of anomaly detection.
BAND = {"GreaterThanUpperThreshold", "LessThanLowerThreshold", "LessThanLowerOrGreaterThanUpperThreshold"}
#: Settings that an alarm on one metric must have, by moto's names and AWS's.
NEEDED = {
    "comparison_operator": "ComparisonOperator",
    "evaluation_periods": "EvaluationPeriods",
    "metric_name": "MetricName",
    "namespace": "Namespace",
    "period": "Period",
    "statistic": "Statistic",
    "threshold": "Threshold",
}
#: Settings with a list of allowed values: moto's name, AWS's, the shape in botocore's model.
ENUMERATIONS = (
    ("comparison_operator", "ComparisonOperator", "ComparisonOperator"),
    ("statistic", "Statistic", "Statistic"),
    ("unit", "Unit", "StandardUnit"),
)
TREATMENTS = ("breaching", "notBreaching", "ignore", "missing")


def check(name: str, settings: Mapping[str, Any]) -> None:
    """Refuse an alarm that CloudWatch would refuse, or that the local cloud would misjudge.

    Args:
        name: The alarm's.
        settings: The arguments of moto's ``put_metric_alarm``.

    Raises:
        ValidationError: CloudWatch does not take a setting.
        InvalidParameterCombination: The local cloud does not evaluate such an alarm.
    """
    for setting, meant in BEYOND.items():
        if settings.get(setting):
            raise InvalidParameterCombination(f"Alarm {name}: the local cloud does not evaluate {meant}")
    if absent := [aws for setting, aws in NEEDED.items() if settings.get(setting) is None]:
        raise ValidationError(f"Alarm {name}: an alarm on a metric needs {', '.join(absent)}")
    for setting, aws, shape in ENUMERATIONS:
        _check_enumeration(settings.get(setting), aws, shape)
    if (comparison := settings["comparison_operator"]) in BAND:
        raise ValidationError(f"Alarm {name}: ComparisonOperator {comparison} needs an anomaly detection band")
    treatment = settings.get("treat_missing_data")
    if treatment and treatment not in TREATMENTS:
        message = f"Option {treatment} is not supported. "
        message += f"Supported options for parameter TreatMissingData are {', '.join(TREATMENTS)}."
        raise ValidationError(message)


def _check_enumeration(value: Any, name: str, shape: str) -> None:
    """Refuse a value that a shape does not have, in AWS's words."""
    allowed = cast("StringShape", get_service_model("cloudwatch").shape_for(shape)).enum
    if value and value not in allowed:
        message = f"1 validation error detected: Value '{value}' at '{name[0].lower()}{name[1:]}' failed to satisfy "
        message += f"constraint: Member must satisfy enum value set: [{', '.join(allowed)}]"
        raise ValidationError(message)
