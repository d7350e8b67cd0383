"""The e-mail about an alarm reads as the one that CloudWatch sends."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from localcloud.services.cloudwatch import alarm_mail

MAIL = """\
You are receiving this email because your Amazon CloudWatch Alarm "the shop" in the US East (N. Virginia) region has \
entered the OK state, because "Threshold Crossed" at "Wednesday 04 March, 2026 05:06:07 UTC".

View this alarm in the AWS Management Console:
https://us-east-1.console.aws.amazon.com/cloudwatch/deeplink.js?region=us-east-1#alarmsV2:alarm/the%20shop

Alarm Details:
- Name:                       the shop
- Description:
- State Change:               ALARM -> OK
- Reason for State Change:    Threshold Crossed
- Timestamp:                  Wednesday 04 March, 2026 05:06:07 UTC
- AWS Account:                123456789012
- Alarm Arn:                  arn:aws:cloudwatch:us-east-1:123456789012:alarm:the shop

Threshold:
- The alarm is in the ALARM state when the metric is GreaterThanThreshold 5.0 for at least 2 of the last 3 period(s) \
of 60 seconds.

Monitored Metric:
- MetricNamespace:                     Shop
- MetricName:                          Errors
- Dimensions:                          [Site = shop] [Part = till]
- Period:                              60 seconds
- Statistic:                           Sum
- Unit:                                not specified
- TreatMissingData:                    notBreaching


State Change Actions:
- OK:
- ALARM: [arn:aws:sns:us-east-1:123456789012:a] [arn:aws:sns:us-east-1:123456789012:b]
- INSUFFICIENT_DATA:
"""


def alarm(**settings: Any) -> Any:
    dimensions = [SimpleNamespace(name=name, value=value) for name, value in (("Site", "shop"), ("Part", "till"))]
    described = {
        "name": "the shop",
        "alarm_arn": "arn:aws:cloudwatch:us-east-1:123456789012:alarm:the shop",
        "description": None,
        "state_value": "OK",
        "state_updated_timestamp": datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC),
        "rule": None,
        "namespace": "Shop",
        "metric_name": "Errors",
        "dimensions": dimensions,
        "comparison_operator": "GreaterThanThreshold",
        "threshold": 5,
        "period": 60,
        "evaluation_periods": 3,
        "datapoints_to_alarm": 2,
        "statistic": "Sum",
        "unit": None,
        "treat_missing_data": "notBreaching",
        "ok_actions": [],
        "alarm_actions": [f"arn:aws:sns:us-east-1:123456789012:{name}" for name in "ab"],
        "insufficient_data_actions": [],
    }
    return SimpleNamespace(**(described | settings))


def test_the_mail_about_a_metric_alarm_has_every_section() -> None:
    assert alarm_mail.text(alarm(), "ALARM", "Threshold Crossed") == MAIL


def test_the_mail_about_a_composite_alarm_has_its_rule_instead_of_a_metric() -> None:
    text = alarm_mail.text(alarm(rule='ALARM("a") OR ALARM("b")'), "OK", "a rang")
    assert 'Alarm Rule:\n- ALARM("a") OR ALARM("b")\n' in text
    assert "Monitored Metric" not in text


def test_the_subject_is_never_longer_than_sns_takes() -> None:
    assert alarm_mail.subject(alarm()) == 'OK: "the shop" in US East (N. Virginia)'
    assert len(alarm_mail.subject(alarm(name="x" * 200))) == 100
