"""The services' rules hold for requests and for values that only a deployment knows, not for templates only."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud import LocalCloud

FUNCTION = {"FunctionName": "f", "Role": "arn:aws:iam::123456789012:role/r", "Code": {"ZipFile": b""}}
DATABASE = {
    "DBInstanceIdentifier": "d",
    "Engine": "mysql",
    "DBInstanceClass": "db.t4g.micro",
    "AllocatedStorage": 20,
    "MasterUsername": "admin",
    "MasterUserPassword": "abcdefgh",
}
INFLUX = {
    "name": "metrics",
    "password": "abcdefgh",
    "dbInstanceType": "db.influx.medium",
    "vpcSubnetIds": ["s"],
    "vpcSecurityGroupIds": ["g"],
    "allocatedStorage": 20,
}
SERVERLESS = {"MinCapacity": 1, "MaxCapacity": 200}
POOL = {"type": "FARGATE", "maxvCpus": 1, "minvCpus": 0, "subnets": ["s"]}


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "code", "message"),
    [
        ("sqs", "create_queue", {"QueueName": "a b"}, "InvalidParameterValue", "1 to 80 in length"),
        (
            "sqs",
            "create_queue",
            {"QueueName": "q", "Attributes": {"VisibilityTimeout": "43201"}},
            "InvalidAttributeValue",
            "The value '43201' of VisibilityTimeout is above the maximum of 43200",
        ),
        ("sns", "create_topic", {"Name": "t t"}, "InvalidParameter", "Invalid parameter: Topic Name"),
        (
            "lambda",
            "create_function",
            FUNCTION | {"MemorySize": 20_000},
            "InvalidParameterValueException",
            "less than or equal to 10240",
        ),
        (
            "lambda",
            "update_function_configuration",
            {"FunctionName": "f", "Environment": {"Variables": {"LONG": "x" * 4096}}},
            "InvalidParameterValueException",
            "exceeded the 4KB limit",
        ),
        (
            "lambda",
            "create_event_source_mapping",
            {"FunctionName": "f", "EventSourceArn": "arn:aws:sqs:us-east-1:123456789012:q", "BatchSize": 11},
            "InvalidParameterValueException",
            "Maximum batch window",
        ),
        (
            "rds",
            "create_db_instance",
            DATABASE | {"EngineVersion": "9.9"},
            "InvalidParameterCombination",
            "Cannot find version 9.9 for mysql",
        ),
        (
            "rds",
            "create_db_instance",
            DATABASE | {"MasterUserPassword": "with/slash"},
            "InvalidParameterValue",
            "Only printable ASCII",
        ),
        (
            "neptune",
            "create_db_cluster",
            {"DBClusterIdentifier": "g", "Engine": "neptune", "ServerlessV2ScalingConfiguration": SERVERLESS},
            "InvalidParameterValue",
            "The value 200.0 of ServerlessScalingConfiguration.MaxCapacity is above the maximum of 128",
        ),
        (
            "opensearch",
            "create_domain",
            {"DomainName": "films", "ClusterConfig": {"InstanceType": "t9.small.search"}},
            "InvalidTypeException",
            "Invalid instance type: t9.small.search",
        ),
        ("ec2", "create_vpc", {"CidrBlock": "10.0.0.0/8"}, "InvalidVpc.Range", "The CIDR '10.0.0.0/8' is invalid"),
        (
            "ec2",
            "create_security_group",
            {"GroupName": "web", "Description": "Büro"},
            "InvalidParameterValue",
            "Character sets beyond ASCII are not supported",
        ),
        (
            "ec2",
            "run_instances",
            {"MinCount": 1, "MaxCount": 1, "UserData": "x" * 16_387},
            "InvalidParameterValue",
            "User data is limited to 16384 bytes",
        ),
        (
            "elbv2",
            "create_load_balancer",
            {"Name": "web", "Subnets": ["subnet-1"]},
            "ValidationError",
            "At least two subnets in two different Availability Zones must be specified",
        ),
        (
            "elbv2",
            "create_listener",
            {"LoadBalancerArn": "a", "Protocol": "HTTP", "Port": 80, "SslPolicy": "p", "DefaultActions": []},
            "ValidationError",
            "leave SslPolicy out",
        ),
        (
            "dynamodb",
            "create_table",
            {
                "TableName": "films",
                "KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}],
                "AttributeDefinitions": [{"AttributeName": "k", "AttributeType": "S"}],
            },
            "ValidationException",
            "must both be specified when BillingMode is PROVISIONED",
        ),
        ("kms", "create_alias", {"AliasName": "a", "TargetKeyId": "k"}, "ValidationException", "start with the prefix"),
        (
            "iam",
            "create_role",
            {"RoleName": "r" * 65, "AssumeRolePolicyDocument": "{}"},
            "ValidationError",
            "must have at most 64",
        ),
        (
            "logs",
            "put_retention_policy",
            {"logGroupName": "g", "retentionInDays": 8},
            "InvalidParameterException",
            "RetentionInDays",
        ),
        (
            "ssm",
            "put_parameter",
            {"Name": "aws", "Value": "v", "Type": "String"},
            "ValidationException",
            "can't be prefixed with",
        ),
        ("s3", "create_bucket", {"Bucket": "my..data"}, "InvalidBucketName", "The specified bucket is not valid"),
        (
            "sqs",
            "create_queue",
            {"QueueName": "q", "Attributes": {"DeduplicationScope": "queue"}},
            "InvalidAttributeName",
            "You can specify the DeduplicationScope only when FifoQueue is set to true",
        ),
        (
            "batch",
            "create_compute_environment",
            {
                "computeEnvironmentName": "e",
                "type": "MANAGED",
                "computeResources": POOL | {"type": "EC2", "minvCpus": 2, "instanceRole": "r"},
            },
            "ClientException",
            "Let minvCpus be less than or equal to maxvCpus",
        ),
        ("timestream-influxdb", "create_db_instance", INFLUX | {"name": "a--b"}, "ValidationException", "pattern"),
        (
            "batch",
            "create_compute_environment",
            {
                "computeEnvironmentName": "e",
                "type": "MANAGED",
                "computeResources": POOL | {"instanceTypes": ["c5.large"]},
            },
            "ClientException",
            "not applicable to compute environments of Fargate",
        ),
        (
            "batch",
            "register_job_definition",
            {"jobDefinitionName": "j", "type": "container", "timeout": {"attemptDurationSeconds": 59}},
            "ClientException",
            "at least 60 seconds",
        ),
    ],
)
def test_a_request_is_refused_with_the_services_code_and_the_source(
    cloud: LocalCloud, service: Any, operation: str, parameters: dict[str, Any], code: str, message: str
) -> None:
    with pytest.raises(ClientError) as refusal:
        getattr(cloud.client(service), operation)(**parameters)
    error = refusal.value.response["Error"]
    assert error.get("Code") == code or error.get("Code", "").endswith(f".{code}")
    assert message in error.get("Message", "")
    assert "See https://docs.aws.amazon.com/" in error.get("Message", "")
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] in {400, 409}  # 409 of OpenSearch


@pytest.mark.parametrize(
    ("seconds", "problem"),
    [("43201", "the value '43201' of VisibilityTimeout is above the maximum"), ("43200", "")],
)
def test_a_value_that_a_parameter_gives_is_checked_when_it_is_known(
    cloud: LocalCloud, seconds: str, problem: str
) -> None:
    stack = f"stack-{uuid.uuid4().hex}"
    body = {
        "Parameters": {"Seconds": {"Type": "Number"}},
        "Resources": {"Jobs": {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": {"Ref": "Seconds"}}}},
    }
    cloudformation = cloud.client("cloudformation")
    cloudformation.create_stack(
        StackName=stack,
        TemplateBody=json.dumps(body),
        Parameters=[{"ParameterKey": "Seconds", "ParameterValue": seconds}],
    )
    description = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    assert problem in description.get("StackStatusReason", "")
    assert description["StackStatus"] == ("ROLLBACK_COMPLETE" if problem else "CREATE_COMPLETE")


def test_a_rule_holds_for_a_value_that_another_resource_gives(cloud: LocalCloud) -> None:
    stack = f"stack-{uuid.uuid4().hex}"
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": f"{stack}.fifo", "FifoQueue": True}}
    topic = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": {"Fn::GetAtt": ["Queue", "QueueName"]}}}
    cloudformation = cloud.client("cloudformation")
    cloudformation.create_stack(
        StackName=stack, TemplateBody=json.dumps({"Resources": {"Queue": queue, "Topic": topic}})
    )
    description = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    assert description["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "Topic (AWS::SNS::Topic): Invalid parameter: Topic Name" in description["StackStatusReason"]


def test_a_template_takes_51200_bytes_in_a_request_and_a_megabyte_in_s3(cloud: LocalCloud) -> None:
    def body(size: int) -> str:
        whole = {"Description": "d", "Resources": {"T": {"Type": "AWS::SNS::Topic"}}, "Metadata": {"m": ""}}
        whole["Metadata"] = {"m": "x" * (size - len(json.dumps(whole)))}
        return json.dumps(whole)

    cloudformation, s3, bucket = cloud.client("cloudformation"), cloud.client("s3"), f"bucket-{uuid.uuid4().hex}"
    s3.create_bucket(Bucket=bucket)
    cloudformation.validate_template(TemplateBody=body(51_200))
    for operation, rest in (
        ("validate_template", {}),
        ("create_stack", {"StackName": "large"}),
        ("create_change_set", {"StackName": "large", "ChangeSetName": "c", "ChangeSetType": "CREATE"}),
    ):
        with pytest.raises(ClientError, match="length less than or equal to 51200") as refusal:
            getattr(cloudformation, operation)(TemplateBody=body(51_201), **rest)
        assert refusal.value.response["Error"].get("Code") == "ValidationError"
    for size in (1_000_000, 1_000_001):
        s3.put_object(Bucket=bucket, Key=str(size), Body=body(size).encode())
    url = f"https://{bucket}.s3.amazonaws.com"
    cloudformation.validate_template(TemplateURL=f"{url}/1000000")
    with pytest.raises(ClientError, match="Template may not exceed 1000000 bytes in size"):
        cloudformation.validate_template(TemplateURL=f"{url}/1000001")


def test_a_reference_to_nothing_is_refused_before_anything_is_created(cloud: LocalCloud) -> None:
    stack = f"stack-{uuid.uuid4().hex}"
    topic = {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": {"Ref": "Gone"}}}
    cloudformation = cloud.client("cloudformation")
    with pytest.raises(ClientError, match=r"Unresolved resource dependencies \[Gone\]"):
        cloudformation.create_stack(StackName=stack, TemplateBody=json.dumps({"Resources": {"Topic": topic}}))
    with pytest.raises(ClientError, match="does not exist"):
        cloudformation.describe_stacks(StackName=stack)
