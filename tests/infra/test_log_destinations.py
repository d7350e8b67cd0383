"""Logs go to buckets that an account has already, where it names some."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .conftest import Json, of_type, only

CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/00000000-0000-0000-0000-000000000000"


@pytest.fixture(scope="module")
def template(synthesise: Callable[..., Json]) -> Json:
    logs = {"access_log_bucket": "company-logs", "flow_log_bucket_arn": "arn:aws:s3:::company-logs/network"}
    return synthesise("web-app.yaml", {"web_app.certificate_arn": CERTIFICATE, **logs})


def test_buckets_and_the_load_balancer_log_their_requests_below_their_stack(template: Json) -> None:
    logging = only(template, "AWS::S3::Bucket")["LoggingConfiguration"]
    assert logging == {"DestinationBucketName": "company-logs", "LogFilePrefix": "WebApp/Assets/"}
    rows = only(template, "AWS::ElasticLoadBalancingV2::LoadBalancer")["LoadBalancerAttributes"]
    attributes = {row["Key"]: row["Value"] for row in rows}
    assert attributes["access_logs.s3.enabled"] == "true"
    assert attributes["access_logs.s3.bucket"] == "company-logs"
    assert attributes["access_logs.s3.prefix"] == "WebApp/LoadBalancer"
    assert "routing.http.drop_invalid_header_fields.enabled" in attributes


def test_flow_logs_go_to_the_bucket_and_have_neither_a_log_group_nor_a_role(template: Json) -> None:
    log = only(template, "AWS::EC2::FlowLog")
    assert (log["LogDestinationType"], log["LogDestination"]) == ("s3", "arn:aws:s3:::company-logs/network")
    assert "DeliverLogsPermissionArn" not in log
    assert not [name for name, _ in of_type(template, "AWS::Logs::LogGroup") if "FlowLogs" in name]
