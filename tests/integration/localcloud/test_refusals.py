"""What is not there in the local cloud is refused by name, in the form that each service's clients read."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from localcloud import LocalCloud

EVENT = {
    "id": "1",
    "detail-type": "t",
    "source": "shop",
    "account": "123456789012",
    "time": "2026-11-11T21:29:54Z",
    "region": "us-east-1",
    "resources": [],
    "detail": {"price": 7},
}


def client(cloud: LocalCloud, service: Any, region: str = "us-east-1") -> Any:
    """A client that would try again, as everybody's does."""
    environment = cloud.environment()
    return boto3.client(
        service,
        region_name=region,
        endpoint_url=cloud.endpoint,
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        config=Config(inject_host_prefix=False),
    )


def refused(cloud: LocalCloud, service: str, operation: str, region: str = "us-east-1", **parameters: Any) -> Any:
    """The response that says why an operation is refused."""
    with pytest.raises(ClientError) as refusal:
        getattr(client(cloud, service, region), operation)(**parameters)
    return refusal.value.response


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "name", "code"),
    [
        ("cloudformation", "detect_stack_drift", {"StackName": "x"}, "DetectStackDrift", "InvalidAction"),
        ("autoscaling", "start_instance_refresh", {"AutoScalingGroupName": "x"}, "StartInstanceRefresh", None),
        ("ec2", "describe_fleet_history", {"FleetId": "fleet-1", "StartTime": 0}, "DescribeFleetHistory", None),
        ("cloudwatch", "list_metric_streams", {}, "ListMetricStreams", "UnknownOperationException"),
        ("logs", "list_log_anomaly_detectors", {}, "ListLogAnomalyDetectors", None),
        ("dynamodb", "list_contributor_insights", {}, "ListContributorInsights", "UnknownOperationException"),
        ("lambda", "get_account_settings", {}, "GetAccountSettings", "UnknownOperationException"),
        ("batch", "get_job_queue_snapshot", {"jobQueue": "x"}, "GetJobQueueSnapshot", "UnknownOperationException"),
        ("s3", "create_session", {"Bucket": "x"}, "CreateSession", "MethodNotAllowed"),
        ("s3", "list_bucket_metrics_configurations", {"Bucket": "x"}, "ListBucketMetricsConfigurations", None),
        ("route53", "get_checker_ip_ranges", {}, "GetCheckerIpRanges", "InvalidAction"),
        ("translate", "list_languages", {}, "ListLanguages", "UnknownOperationException"),
    ],
)
def test_an_operation_that_is_not_there_is_refused_by_name_and_not_tried_again(
    cloud: LocalCloud, service: str, operation: str, parameters: dict[str, Any], name: str, code: str | None
) -> None:
    response = refused(cloud, service, operation, **parameters)
    assert f"{name} is not there in the local cloud" in response["Error"]["Message"]
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert response["ResponseMetadata"]["RetryAttempts"] == 0
    assert code in {None, response["Error"]["Code"]}


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "code"),
    [
        ("autoscaling", "suspend_processes", {"AutoScalingGroupName": "absent"}, "ValidationError"),
        ("rds", "modify_db_cluster", {"DBClusterIdentifier": "absent"}, "DBClusterNotFoundFault"),
        ("ec2", "delete_transit_gateway", {"TransitGatewayId": "tgw-absent"}, "InvalidTransitGatewayID.NotFound"),
        (
            "dynamodb",
            "describe_export",
            {"ExportArn": "arn:aws:dynamodb:x:1:absent-export-arn"},
            "ExportNotFoundException",
        ),
        ("opensearch", "update_domain_config", {"DomainName": "absent"}, "ResourceNotFoundException"),
    ],
)
def test_what_does_not_exist_is_the_callers_error_and_not_the_clouds(
    cloud: LocalCloud, service: str, operation: str, parameters: dict[str, Any], code: str
) -> None:
    response = refused(cloud, service, operation, **parameters)
    assert response["Error"]["Code"] == code
    assert response["Error"]["Message"].endswith("does not exist")
    assert response["ResponseMetadata"]["RetryAttempts"] == 0


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ({"source": ["shop"]}, True),
        ({"source": ["bank"]}, False),
        ({"detail": {"price": [{"numeric": [">", 5]}]}}, True),
    ],
)
def test_an_event_pattern_can_be_tested(cloud: LocalCloud, pattern: dict[str, Any], *, matches: bool) -> None:
    response = cloud.client("events").test_event_pattern(EventPattern=json.dumps(pattern), Event=json.dumps(EVENT))
    assert response["Result"] is matches


@pytest.mark.parametrize(
    ("pattern", "event", "code"),
    [
        ("{", json.dumps(EVENT), "InvalidEventPatternException"),
        ('{"source": "shop"}', json.dumps(EVENT), "InvalidEventPatternException"),
        ('{"source": ["shop"]}', "{", "ValidationException"),
        ('{"source": ["shop"]}', '{"source": "shop"}', "ValidationException"),
    ],
)
def test_a_wrong_pattern_or_event_is_refused(cloud: LocalCloud, pattern: str, event: str, code: str) -> None:
    response = refused(cloud, "events", "test_event_pattern", EventPattern=pattern, Event=event)
    assert response["Error"]["Code"] == code


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "code"),
    [
        ("cloudformation", "create_stack", {"StackName": "x", "TemplateBody": "{}"}, "SignatureDoesNotMatch"),
        ("ec2", "describe_vpcs", {}, "AuthFailure"),
        ("sqs", "list_queues", {}, "InvalidSignatureException"),
        ("lambda", "list_functions", {}, "InvalidSignatureException"),
        ("s3", "list_objects_v2", {"Bucket": "x"}, "SignatureDoesNotMatch"),
        ("sts", "get_caller_identity", {}, "SignatureDoesNotMatch"),
    ],
)
def test_a_call_for_another_region_is_refused_by_the_names_of_both(
    cloud: LocalCloud, service: str, operation: str, parameters: dict[str, Any], code: str
) -> None:
    error = refused(cloud, service, operation, "eu-west-1", **parameters)["Error"]
    assert error["Code"] == code
    assert "region us-east-1" in error["Message"]
    assert "eu-west-1" in error["Message"]


def test_a_bucket_in_another_region_is_refused(cloud: LocalCloud) -> None:
    elsewhere = {"LocationConstraint": "eu-west-1"}
    error = refused(cloud, "s3", "create_bucket", Bucket="elsewhere", CreateBucketConfiguration=elsewhere)["Error"]
    assert error["Code"] == "IllegalLocationConstraintException"
    assert "eu-west-1" in error["Message"]


def test_a_service_without_regions_answers_a_client_of_any_region(cloud: LocalCloud) -> None:
    client(cloud, "iam", "eu-west-1").list_users()
    client(cloud, "route53", "eu-west-1").list_hosted_zones()


def test_a_url_of_signature_version_2_names_no_region_and_works(cloud: LocalCloud) -> None:
    environment = cloud.environment()
    s3 = boto3.client(
        "s3",
        region_name="us-east-1",
        endpoint_url=cloud.endpoint,
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        config=Config(signature_version="s3"),
    )
    assert s3.list_buckets()["Buckets"]


def test_a_template_with_a_value_that_the_schema_does_not_allow_creates_nothing(cloud: LocalCloud) -> None:
    properties = {"MetricName": "m", "EvaluationPeriods": 1, "ComparisonOperator": "GreaterThan"}
    resources = {
        "Jobs": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "never-created"}},
        "Full": {"Type": "AWS::CloudWatch::Alarm", "Properties": properties},
    }
    body = json.dumps({"Resources": resources})
    error = refused(cloud, "cloudformation", "create_stack", StackName="refused", TemplateBody=body)["Error"]
    assert error["Code"] == "ValidationError"
    assert "resource Full (AWS::CloudWatch::Alarm): the value 'GreaterThan' of ComparisonOperator" in error["Message"]
    assert "GreaterThanOrEqualToThreshold" in error["Message"]
    assert "QueueUrls" not in cloud.client("sqs").list_queues(QueueNamePrefix="never-created")
    assert (
        "does not exist" in refused(cloud, "cloudformation", "describe_stacks", StackName="refused")["Error"]["Message"]
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ComparisonOperator": "GreaterThan"}, "Value 'GreaterThan' at 'comparisonOperator'"),
        ({"Period": 60, "EvaluationPeriods": 1441}, "EvaluationPeriods * Period must be <= 86400"),
        ({"Namespace": "N"}, "needs MetricName, Period, Statistic, Threshold"),
    ],
)
def test_an_alarm_that_cloudwatch_does_not_take_is_refused(
    cloud: LocalCloud, changes: dict[str, Any], message: str
) -> None:
    whole = {"Namespace": "N", "MetricName": "m", "Statistic": "Sum", "Period": 60, "Threshold": 1}
    alarm = {"EvaluationPeriods": 1, "ComparisonOperator": "GreaterThanThreshold"} | changes
    settings = alarm if "Namespace" in changes else whole | alarm
    error = refused(cloud, "cloudwatch", "put_metric_alarm", AlarmName="refused", **settings)["Error"]
    assert message in error["Message"]
    assert "Validation" in error["Code"]


def test_an_operation_of_s3_is_named_after_a_stack_has_made_a_bucket(cloud: LocalCloud) -> None:
    body = json.dumps({"Resources": {"Data": {"Type": "AWS::S3::Bucket"}}})
    cloud.client("cloudformation").create_stack(StackName="with-a-bucket", TemplateBody=body)
    response = refused(cloud, "s3", "list_bucket_metrics_configurations", Bucket="x")
    assert "ListBucketMetricsConfigurations is not there" in response["Error"]["Message"]


def test_a_wrong_request_for_what_exists_is_refused_in_the_services_words(cloud: LocalCloud) -> None:
    body = json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})
    cloud.client("cloudformation").create_stack(StackName="wrongly-updated", TemplateBody=body)
    error = refused(cloud, "cloudformation", "update_stack", StackName="wrongly-updated")["Error"]
    assert error == {
        "Type": "Sender",
        "Code": "ValidationError",
        "Message": "Either Template URL or Template Body must be specified.",
    }
    cloud.client("dynamodb").create_table(
        TableName="wrongly-filled",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for operation, parameter in (("put_item", "Item"), ("get_item", "Key")):
        request = {"TableName": "wrongly-filled", parameter: {"id": {}}}
        error = refused(cloud, "dynamodb", operation, **request)["Error"]
        assert error["Code"] == "ValidationException"
        assert error["Message"].startswith("Supplied AttributeValue is empty")
    cloud.client("ecr").create_repository(repositoryName="wrongly-filled")
    response = refused(cloud, "ecr", "put_image", repositoryName="wrongly-filled", imageManifest="{")
    assert response["Error"]["Code"] == "InvalidParameterException"
    cloud.client("s3").create_bucket(Bucket="wrongly-tagged")
    response = refused(cloud, "s3", "delete_object_tagging", Bucket="wrongly-tagged", Key="absent")
    assert response["Error"]["Code"] == "NoSuchKey"


def test_a_table_of_timestream_keeps_its_retention_when_another_setting_is_updated(cloud: LocalCloud) -> None:
    timestream = cloud.client("timestream-write")
    timestream.create_database(DatabaseName="updated")
    retention = {"MemoryStoreRetentionPeriodInHours": 5, "MagneticStoreRetentionPeriodInDays": 6}
    timestream.create_table(DatabaseName="updated", TableName="t", RetentionProperties=retention)
    timestream.update_table(
        DatabaseName="updated", TableName="t", MagneticStoreWriteProperties={"EnableMagneticStoreWrites": True}
    )
    table = timestream.describe_table(DatabaseName="updated", TableName="t")["Table"]
    assert table["RetentionProperties"] == retention
    assert table["MagneticStoreWriteProperties"]["EnableMagneticStoreWrites"] is True
    timestream.delete_table(DatabaseName="updated", TableName="t")
    timestream.delete_database(DatabaseName="updated")
