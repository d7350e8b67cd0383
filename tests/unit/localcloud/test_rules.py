"""What the services refuse, in templates: each rule has a fault planted here, and what is right passes."""

from __future__ import annotations

import re
from typing import Any

import pytest

from localcloud.cloudformation.schemas import PropertyError
from localcloud.services import rooms, rules

QUEUE, TOPIC = "AWS::SQS::Queue", "AWS::SNS::Topic"
FUNCTION, MAPPING = "AWS::Lambda::Function", "AWS::Lambda::EventSourceMapping"
DATABASE = "AWS::RDS::DBInstance"
CLUSTER, GRAPH = "AWS::Neptune::DBCluster", "AWS::Neptune::DBInstance"
DOMAIN, INFLUX = "AWS::OpenSearchService::Domain", "AWS::Timestream::InfluxDBInstance"
ENVIRONMENT, JOB = "AWS::Batch::ComputeEnvironment", "AWS::Batch::JobDefinition"

SECURE = {
    "AdvancedSecurityOptions": {"Enabled": True},
    "EncryptionAtRestOptions": {"Enabled": True},
    "NodeToNodeEncryptionOptions": {"Enabled": True},
    "DomainEndpointOptions": {"EnforceHTTPS": True},
}
SMALL = {"InstanceType": "t3.small.search"}
EBS = {"EBSEnabled": True, "VolumeSize": 10}
EC2 = {"Type": "EC2", "InstanceRole": "r", "Subnets": ["s"], "MaxvCpus": 1}
SPOT = EC2 | {"Type": "SPOT", "AllocationStrategy": "SPOT_PRICE_CAPACITY_OPTIMIZED"}
MYSQL = {"Engine": "mysql", "EngineVersion": "8.4", "DBInstanceClass": "db.t4g.micro"}
POSTGRES = {"Engine": "postgres", "DBInstanceClass": "db.t4g.micro"}
GP3 = MYSQL | {"StorageType": "gp3", "AllocatedStorage": "20"}
IO2 = MYSQL | {"StorageType": "io2", "AllocatedStorage": 100, "Iops": 1000}
MONITORED = MYSQL | {"MonitoringInterval": 60, "MonitoringRoleArn": {"Fn::GetAtt": ["Role", "Arn"]}}
STREAM = {"EventSourceArn": "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/s", "StartingPosition": "LATEST"}
QUEUED = {"EventSourceArn": "arn:aws:sqs:us-east-1:123456789012:q"}
INFLUX_T2 = {"DbStorageType": "InfluxIOIncludedT2", "AllocatedStorage": 400}
STANDBY = {"DeploymentType": "WITH_MULTIAZ_STANDBY", "VpcSubnetIds": ["a", "b"]}
SERVERLESS = {"ServerlessScalingConfiguration": {"MinCapacity": 1, "MaxCapacity": 2.5}, "EngineVersion": "1.4.5.0"}
NODES = {"Type": "multinode", "NodeProperties": {"NumNodes": 2, "MainNode": 0, "NodeRangeProperties": []}}
FARGATE = {"PlatformCapabilities": ["FARGATE"], "ContainerProperties": {"ExecutionRoleArn": "r"}}
INLINE = {"Code": {"ZipFile": "pass"}, "Runtime": "python3.13"}


@pytest.mark.parametrize(
    ("kind", "right", "fault", "problem"),
    [
        (QUEUE, {"VisibilityTimeout": 43_200}, {"VisibilityTimeout": 43_201}, "above the maximum of 43200"),
        (QUEUE, {"MessageRetentionPeriod": "60"}, {"MessageRetentionPeriod": "59"}, "below the minimum of 60"),
        (QUEUE, {"QueueName": "q.fifo", "FifoQueue": True}, {"QueueName": "q"}, "must end with .fifo suffix"),
        (QUEUE, {"QueueName": "q"}, {"ContentBasedDeduplication": True, "FifoQueue": False}, "is not allowed here"),
        (QUEUE, {"QueueName": "a_b-c"}, {"QueueName": "a b"}, "1 to 80 in length"),
        (QUEUE, {"QueueName": "q"}, {"QueueName": "q.fifo"}, "required property FifoQueue is missing"),
        (TOPIC, {"TopicName": "t"}, {"TopicName": "t t"}, "Invalid parameter: Topic Name"),
        (TOPIC, {"TopicName": "t.fifo", "FifoTopic": True}, {"TopicName": "t"}, "end with .fifo"),
        (TOPIC, {"TopicName": "t"}, {"TopicName": "t.fifo"}, "end with .fifo"),
        (TOPIC, {"DisplayName": "d" * 100}, {"DisplayName": "d" * 101}, "at most 100"),
        (FUNCTION, {"MemorySize": 10_240}, {"MemorySize": 10_241}, "less than or equal to 10240"),
        (FUNCTION, {"Timeout": "900"}, {"Timeout": "901"}, "less than or equal to 900"),
        (FUNCTION, {"EphemeralStorage": {"Size": 512}}, {"EphemeralStorage": {"Size": 10_241}}, "above the maximum"),
        (FUNCTION, {}, {"Environment": {"Variables": {"LONG": "x" * 4096}}}, "exceeded the 4KB limit"),
        (FUNCTION, {}, {"Environment": {"Variables": {"AWS_REGION": "x"}}}, "must not have the name AWS_REGION"),
        (FUNCTION, {"PackageType": "Image"}, {"Handler": "h"}, "has no Handler"),
        (
            FUNCTION,
            {"LoggingConfig": {"LogFormat": "JSON", "SystemLogLevel": "INFO"}},
            {"LoggingConfig": {"LogFormat": "Text", "SystemLogLevel": "INFO"}},
            "Set LogFormat to JSON",
        ),
        (FUNCTION, INLINE, {"Runtime": None}, "required property Runtime is missing"),
        (FUNCTION, INLINE, {"Runtime": "java21"}, "is for Python and Node.js"),
        (MAPPING, STREAM, {"StartingPosition": None}, "required property StartingPosition is missing"),
        (MAPPING, QUEUED, {"StartingPosition": "LATEST"}, "leave StartingPosition out"),
        (MAPPING, QUEUED, {"EventSourceArn": QUEUED["EventSourceArn"] + ".fifo", "BatchSize": 11}, "maximum of 10"),
        (MAPPING, QUEUED, {"BatchSize": 11}, "Maximum batch window in seconds must be greater than 0"),
        (DATABASE, MYSQL, {"EngineVersion": "9.9"}, "Cannot find this version of the engine"),
        (DATABASE, MYSQL, {"DBInstanceClass": "db.m1.small"}, "combination of DBInstanceClass, Engine and"),
        (DATABASE, POSTGRES, {"DBInstanceClass": "db.t9.micro"}, "in this region"),
        (
            DATABASE,
            MYSQL | {"KmsKeyId": "k", "StorageEncrypted": True},
            {"StorageEncrypted": False},
            "StorageEncrypted",
        ),
        (DATABASE, MYSQL | {"BackupRetentionPeriod": 35}, {"BackupRetentionPeriod": 36}, "Invalid backup retention"),
        (DATABASE, {"DBInstanceIdentifier": "a-b"}, {"DBInstanceIdentifier": "a--b"}, "two consecutive"),
        (DATABASE, MYSQL, {"MasterUserPassword": "secret@host"}, "Only printable ASCII characters besides"),
        (DATABASE, POSTGRES | {"MasterUserPassword": "x" * 42}, {"Engine": "mysql"}, "at most 41"),
        (DATABASE, POSTGRES, {"MasterUserPassword": "short"}, "at least 8"),
        (DATABASE, MYSQL | {"MasterUsername": "admin"}, {"MasterUsername": "a" * 17}, "MasterUsername is not valid"),
        (DATABASE, POSTGRES | {"MasterUsername": "owner"}, {"MasterUsername": "admin"}, "reserved word"),
        (DATABASE, MYSQL | {"DBName": "store"}, {"DBName": "1store"}, "DBName must begin with a letter"),
        (DATABASE, POSTGRES | {"DBName": "store"}, {"DBName": "my-store"}, "DBName must begin with a letter"),
        (DATABASE, GP3, {"AllocatedStorage": "19"}, "Invalid storage size"),
        (DATABASE, IO2, {"AllocatedStorage": 99}, "Provisioned IOPS need 100 GiB"),
        (DATABASE, IO2, {"Iops": None}, "required property Iops is missing"),
        (DATABASE, GP3, {"Iops": 3000}, "storage size less than 400"),
        (DATABASE, MONITORED, {"MonitoringInterval": 7}, "is not one of 0, 1, 5"),
        (DATABASE, MONITORED, {"MonitoringRoleArn": None}, "A MonitoringRoleARN value is required"),
        (CLUSTER, SERVERLESS, {"ServerlessScalingConfiguration": {"MinCapacity": 1, "MaxCapacity": 129}}, "128"),
        (CLUSTER, SERVERLESS, {"ServerlessScalingConfiguration": {"MinCapacity": 1.2, "MaxCapacity": 4}}, "half steps"),
        (CLUSTER, SERVERLESS, {"EngineVersion": "1.1.1.0"}, "version 1.2.0.1 or newer"),
        (CLUSTER, {"BackupRetentionPeriod": 35}, {"BackupRetentionPeriod": 36}, "Invalid backup retention period"),
        (CLUSTER, {"DBClusterIdentifier": "g"}, {"DBClusterIdentifier": "1g"}, "must begin with a letter"),
        (GRAPH, {"DBInstanceClass": "db.serverless"}, {"DBInstanceClass": "db.t2.micro"}, "this instance class"),
        (GRAPH, {"DBInstanceIdentifier": "g"}, {"DBInstanceIdentifier": "g-"}, "must not end with a hyphen"),
        (
            DOMAIN,
            {},
            {"ClusterConfig": {"InstanceType": "t9.small.search"}, "EBSOptions": EBS},
            "Invalid instance type",
        ),
        (DOMAIN, {}, {"ClusterConfig": {"DedicatedMasterType": "t9.small.search"}}, "dedicated master instance type"),
        (DOMAIN, {"DomainName": "abc"}, {"DomainName": "Films"}, "3 to 28 lower case"),
        (DOMAIN, {"EBSOptions": EBS}, {"EBSOptions": EBS | {"VolumeSize": 9}}, "below the minimum of 10"),
        (DOMAIN, {"ClusterConfig": SMALL, "EBSOptions": EBS}, {"EBSOptions": EBS | {"VolumeSize": 101}}, "100"),
        (
            DOMAIN,
            {"ClusterConfig": {"InstanceType": "t3.medium.search"}, "EBSOptions": EBS},
            {"EBSOptions": EBS | {"VolumeSize": 201}},
            "above the maximum of 200",
        ),
        (DOMAIN, {"ClusterConfig": SMALL, "EBSOptions": EBS}, {"EBSOptions": None}, "EBS storage must be selected"),
        (DOMAIN, SECURE, {"NodeToNodeEncryptionOptions": {"Enabled": False}}, "node-to-node encryption"),
        (DOMAIN, {}, {"ClusterConfig": {"DedicatedMasterCount": 2}}, "is not one of 3, 5"),
        (INFLUX, {"Name": "metrics"}, {"Name": "a--b"}, "does not match the pattern"),
        (INFLUX, {"Password": "abcdefgh"}, {"Password": "abc"}, "at least 8"),
        (INFLUX, INFLUX_T2, {"AllocatedStorage": 20}, "start at 400 GiB"),
        (INFLUX, STANDBY, {"VpcSubnetIds": ["a"]}, "two availability zones"),
        (ENVIRONMENT, {"ComputeEnvironmentName": "e"}, {"ComputeEnvironmentName": "-e"}, "a letter or digit first"),
        (ENVIRONMENT, {}, {"ComputeResources": {"Type": "FARGATE", "InstanceTypes": ["c5"]}}, "not applicable"),
        (ENVIRONMENT, {"ComputeResources": EC2}, {"ComputeResources": {"Type": "EC2"}}, "InstanceRole is missing"),
        (ENVIRONMENT, {"ComputeResources": SPOT}, {"ComputeResources": SPOT | {"Type": "EC2"}}, "need the type SPOT"),
        (
            ENVIRONMENT,
            {"ComputeResources": SPOT},
            {"ComputeResources": SPOT | {"AllocationStrategy": "BEST_FIT"}},
            "SpotIamFleetRole is missing",
        ),
        (ENVIRONMENT, {}, {"ComputeResources": EC2 | {"LaunchTemplate": {"Version": "1"}}}, "launchTemplateName must"),
        (
            ENVIRONMENT,
            {"ComputeResources": EC2 | {"Ec2Configuration": [{"ImageType": "ECS_AL2023_NVIDIA"}]}},
            {"ComputeResources": EC2 | {"Ec2Configuration": [{"ImageType": "ECS_AL1"}]}},
            "Write ECS_AL2023",
        ),
        (JOB, {"JobDefinitionName": "job"}, {"JobDefinitionName": "my job"}, "letters, digits, hyphens"),
        (JOB, NODES, {"PlatformCapabilities": ["FARGATE"]}, "do not run on Fargate"),
        (JOB, NODES, {"NodeProperties": None}, "required property NodeProperties is missing"),
        (JOB, {"RetryStrategy": {"Attempts": 10}}, {"RetryStrategy": {"Attempts": 11}}, "above the maximum of 10"),
        (JOB, {}, {"Timeout": {"AttemptDurationSeconds": 59}}, "at least 60 seconds"),
        (JOB, FARGATE, {"ContainerProperties": {}}, "ExecutionRoleArn is missing"),
    ],
)
def test_a_rule_refuses_its_fault_and_names_its_source(
    kind: str, right: dict[str, Any], fault: dict[str, Any], problem: str
) -> None:
    rules.check(kind, right)
    with pytest.raises(PropertyError, match=f"(?i){re.escape(problem)}") as refusal:
        rules.check(kind, right | fault)
    assert "See https://docs.aws.amazon.com/" in str(refusal.value)


def test_no_message_repeats_a_password() -> None:
    with pytest.raises(PropertyError) as refusal:
        rules.check(DATABASE, {"MasterUserPassword": "hunter/2"})
    assert "hunter" not in str(refusal.value)


def test_what_is_not_known_yet_is_left_alone() -> None:
    rules.check(DATABASE, {"Engine": {"Ref": "Engine"}, "EngineVersion": "1", "DBInstanceClass": {"Ref": "Class"}})
    rules.check(DATABASE, POSTGRES | {"MasterUserPassword": "{{resolve:secretsmanager:s:SecretString:password}}"})


def test_many_allowed_values_are_not_all_listed() -> None:
    with pytest.raises(PropertyError, match=r"none of the \d+ values there are, such as .*db\.t4g\.micro"):
        rules.check(DATABASE, MYSQL | {"DBInstanceClass": "db.t4g.mikro"})


def test_every_rule_has_a_source_and_every_row_is_a_type_that_the_room_has() -> None:
    for room in rooms():
        for kind, row in room.table("rules.yaml").items():
            assert kind in room.table("types.yaml")
            for rule in rules.rules(kind):
                assert rule.source.startswith("https://docs.aws.amazon.com/")
                assert rule.schema not in ({}, True), rule.source
                assert rule.code or not rule.operations
            assert row["rules"]
