"""CloudFormation: parameters, updates, roll-backs, refusals, deletions."""

from __future__ import annotations

import io
import json
import re
import uuid
import zipfile
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.cloudformation import parsing
from moto.cloudformation.exceptions import ValidationError

from localcloud import LocalCloud
from localcloud.cloud.inventory import inventory
from localcloud.cloudformation import custom, schemas, templates
from localcloud.cloudformation.deployment import provider
from localcloud.services import rooms
from tests.policies import allow

EVERY_TYPE = Path(__file__).with_name("every_type.yaml")

CONSOLE = """
AWSTemplateFormatVersion: 2010-09-09
Description: As the console takes it.
Parameters:
  Image: {Type: 'AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>',
          Default: /aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64}
  Days: {Type: Number, Default: 7, MinValue: 1, MaxValue: 365}
  Email: {Type: String, Default: ''}
  Zones: {Type: CommaDelimitedList, Default: 'a,b'}
Conditions:
  HasEmail: !Not [!Equals [!Ref Email, '']]
  Week: !Equals [!Ref Days, 7]
Resources:
  Logs:
    Type: AWS::Logs::LogGroup
    Properties: {RetentionInDays: !Ref Days}
  Topic:
    Type: AWS::SNS::Topic
    Properties: {DisplayName: !Sub '${AWS::StackName} alarms'}
  Subscription:
    Type: AWS::SNS::Subscription
    Condition: HasEmail
    Properties: {TopicArn: !Ref Topic, Protocol: email, Endpoint: !Ref Email}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: 2012-10-17
        Statement: [{Effect: Allow, Action: 'sts:AssumeRole', Principal: {Service: ec2.amazonaws.com}}]
Outputs:
  Image: {Value: !Ref Image}
  Zone: {Value: !Select [1, !Ref Zones]}
  LogArn: {Value: !GetAtt Logs.Arn}
  Week: {Value: !If [Week, 'yes', 'no']}
"""


def template(**resources: Any) -> str:
    return json.dumps({"Resources": resources})


def archive(path: str, content: str) -> bytes:
    """A zip archive with one file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr(path, content)
    return buffer.getvalue()


def bucket(**properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::S3::Bucket", "Properties": properties}


def queue(**properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::SQS::Queue", "Properties": properties}


def physical(cloud: LocalCloud, stack: str, logical: str) -> str:
    """The name or id of one of a stack's resources."""
    detail = cloud.client("cloudformation").describe_stack_resource(StackName=stack, LogicalResourceId=logical)
    return str(detail["StackResourceDetail"]["PhysicalResourceId"])


def taken(cloud: LocalCloud) -> dict[str, Any]:
    """A resource that cannot be created: its name is taken."""
    name = uuid.uuid4().hex
    cloud.client("logs").create_log_group(logGroupName=name)
    return {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": name}}


@pytest.fixture
def name() -> str:
    return f"stack-{uuid.uuid4().hex[:8]}"


def create(
    cloud: LocalCloud, name: str, body: str, tags: dict[str, str] | None = None, **parameters: str
) -> dict[str, Any]:
    cloud.client("cloudformation").create_stack(**request(name, body, tags, parameters))
    return describe(cloud, name)


def update(
    cloud: LocalCloud, name: str, body: str, tags: dict[str, str] | None = None, **parameters: str
) -> dict[str, Any]:
    cloud.client("cloudformation").update_stack(**request(name, body, tags, parameters))
    return describe(cloud, name)


def request(name: str, body: str, tags: dict[str, str] | None, parameters: dict[str, str]) -> dict[str, Any]:
    """What CreateStack and UpdateStack take."""
    return {
        "StackName": name,
        "TemplateBody": body,
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        "Capabilities": ["CAPABILITY_NAMED_IAM"],
        "Tags": [{"Key": key, "Value": value} for key, value in (tags or {}).items()],
    }


def describe(cloud: LocalCloud, name: str) -> dict[str, Any]:
    stack: dict[str, Any] = cloud.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    return stack


def ids(cloud: LocalCloud, name: str) -> dict[str, str]:
    """Physical ids by logical ids."""
    found = cloud.client("cloudformation").describe_stack_resources(StackName=name)["StackResources"]
    return {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in found}


def events(cloud: LocalCloud, name: str) -> list[tuple[str, str]]:
    """Logical id and status, oldest first."""
    found = cloud.client("cloudformation").describe_stack_events(StackName=name)["StackEvents"]
    return [(event["LogicalResourceId"], event["ResourceStatus"]) for event in reversed(found)]


def test_a_console_template_takes_parameters_and_conditions(cloud: LocalCloud, name: str) -> None:
    assert create(cloud, name, CONSOLE)["StackStatus"] == "CREATE_COMPLETE"
    outputs = cloud.outputs(name)
    assert outputs["Image"].startswith("ami-")
    assert (outputs["Zone"], outputs["Week"]) == ("b", "yes")
    assert outputs["LogArn"].startswith("arn:aws:logs:us-east-1:123456789012:log-group:")
    assert "Subscription" not in ids(cloud, name)
    topic = cloud.client("sns").get_topic_attributes(TopicArn=ids(cloud, name)["Topic"])["Attributes"]
    assert topic["DisplayName"] == f"{name} alarms"


def test_given_parameters_win_over_defaults(cloud: LocalCloud, name: str) -> None:
    create(cloud, name, CONSOLE, Days="30", Email="ops@example.com", Zones="x,y,z")
    assert cloud.outputs(name)["Week"] == "no"
    assert cloud.outputs(name)["Zone"] == "y"
    assert "Subscription" in ids(cloud, name)
    (group,) = cloud.client("logs").describe_log_groups(logGroupNamePrefix=ids(cloud, name)["Logs"])["logGroups"]
    assert group["retentionInDays"] == 30


@pytest.mark.parametrize(
    ("parameters", "named"),
    [({"Days": "0"}, "Days"), ({"Days": "many"}, "Days"), ({"Nonsense": "1"}, "Nonsense"), ({"Image": "/no"}, "/no")],
)
def test_a_wrong_parameter_is_refused_by_name(
    cloud: LocalCloud, name: str, parameters: dict[str, str], named: str
) -> None:
    with pytest.raises(ClientError, match=named):
        create(cloud, name, CONSOLE, **parameters)


@pytest.mark.parametrize(
    ("resource", "named"),
    [
        ({"Type": "AWS::Nothing::Here"}, "AWS::Nothing::Here"),
        (
            {"Type": "AWS::Kinesis::Stream", "Properties": {"ShardCount": 1}},
            "the local cloud does not have AWS::Kinesis::Stream",
        ),
        ({"Type": "AWS::CodeBuild::Project", "Properties": {}}, "AWS::CodeBuild::Project"),
        (bucket(Colour="blue"), "Colour"),
        (bucket(VersioningConfiguration={"Statsu": "Enabled"}), "VersioningConfiguration.Statsu"),
        (bucket(BucketName={"Fn::Reverse": "x"}), "Fn::Reverse"),
    ],
    ids=["no such type", "type of moto's", "type not carried", "property", "nested property", "function"],
)
def test_what_the_local_cloud_does_not_know_is_refused_by_name(
    cloud: LocalCloud, name: str, resource: dict[str, Any], named: str
) -> None:
    with pytest.raises(ClientError, match=named):
        create(cloud, name, template(Thing=resource))
    with pytest.raises(ClientError, match="does not exist"):
        describe(cloud, name)


def test_only_types_of_rooms_and_of_cloudformation_itself_are_known() -> None:
    rows = {kind for room in rooms() for kind in room.table("types.yaml")}
    for kind in parsing.get_model_map().keys() - rows - {"AWS::CloudFormation::Stack", custom.KIND}:
        with pytest.raises(ValidationError, match=re.escape(kind)):
            provider(kind)


def test_a_property_that_a_type_does_not_carry_fails_the_deployment_by_name(cloud: LocalCloud, name: str) -> None:
    stack = create(
        cloud, name, template(Data=bucket(AnalyticsConfigurations=[{"Id": "all", "StorageClassAnalysis": {}}]))
    )
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "Data (AWS::S3::Bucket)" in stack["StackStatusReason"]
    assert "AnalyticsConfigurations" in stack["StackStatusReason"]


def test_a_failed_creation_leaves_nothing_behind(cloud: LocalCloud, name: str) -> None:
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": name}}
    stack = create(cloud, name, template(First=queue, Second={**taken(cloud), "DependsOn": "First"}))
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "Second (AWS::Logs::LogGroup)" in stack["StackStatusReason"]
    assert "already exists" in stack["StackStatusReason"]
    assert ("Second", "CREATE_FAILED") in events(cloud, name)
    assert "QueueUrls" not in cloud.client("sqs").list_queues(QueueNamePrefix=name)


def test_an_update_changes_what_changed_in_place(cloud: LocalCloud, name: str) -> None:
    keeper = {"Type": "AWS::SQS::Queue", "Properties": {}}
    logs = {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 7}}
    create(cloud, name, template(Data=bucket(), Keeper=keeper, Logs=logs))
    before = ids(cloud, name)
    versioned = bucket(VersioningConfiguration={"Status": "Enabled"})
    assert update(cloud, name, template(Data=versioned, Keeper=keeper, Logs=logs))["StackStatus"] == "UPDATE_COMPLETE"
    assert ids(cloud, name) == before
    assert cloud.client("s3").get_bucket_versioning(Bucket=before["Data"])["Status"] == "Enabled"
    started = events(cloud, name).index((name, "UPDATE_IN_PROGRESS"))
    assert {logical for logical, _ in events(cloud, name)[started:]} == {name, "Data"}


def test_an_update_replaces_what_cannot_change_and_deletes_the_old_one_last(cloud: LocalCloud, name: str) -> None:
    document = json.loads(allow("s3:GetObject", to=("events",)))
    policy = {"Type": "AWS::S3::BucketPolicy", "Properties": {"Bucket": {"Ref": "Data"}, "PolicyDocument": document}}
    create(cloud, name, template(Data=bucket(BucketName=f"{name}-a"), Policy=policy))
    update(cloud, name, template(Data=bucket(BucketName=f"{name}-b"), Policy=policy))
    assert ids(cloud, name) == {"Data": f"{name}-b", "Policy": f"{name}-b"}
    names = [found["Name"] for found in cloud.client("s3").list_buckets()["Buckets"]]
    assert f"{name}-a" not in names


def test_a_failed_update_goes_back_to_what_was(cloud: LocalCloud, name: str) -> None:
    logs = {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 7}}
    longer = {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 30}}
    create(cloud, name, template(Logs=logs))
    stack = update(cloud, name, template(Logs=longer, Data={**taken(cloud), "DependsOn": "Logs"}))
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert "Data (AWS::Logs::LogGroup)" in stack["StackStatusReason"]
    group = ids(cloud, name)["Logs"]
    (found,) = cloud.client("logs").describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    assert found["retentionInDays"] == 7
    assert list(ids(cloud, name)) == ["Logs"]


def test_an_update_without_changes_says_so(cloud: LocalCloud, name: str) -> None:
    create(cloud, name, template(Data=bucket()))
    with pytest.raises(ClientError, match="No updates are to be performed"):
        update(cloud, name, template(Data=bucket()))


def test_deletion_keeps_what_its_policy_retains(cloud: LocalCloud, name: str) -> None:
    create(cloud, name, template(Kept={**bucket(), "DeletionPolicy": "Retain"}, Gone=bucket()))
    found = ids(cloud, name)
    stack = describe(cloud, name)["StackId"]
    cloud.client("cloudformation").delete_stack(StackName=name)
    names = [each["Name"] for each in cloud.client("s3").list_buckets()["Buckets"]]
    assert found["Kept"] in names
    assert found["Gone"] not in names
    assert describe(cloud, stack)["StackStatus"] == "DELETE_COMPLETE"
    assert ("Kept", "DELETE_SKIPPED") in events(cloud, stack)


@pytest.mark.parametrize(
    ("policy", "stays"), [("Delete", False), ("Snapshot", False), ("RetainExceptOnCreate", False), ("Retain", True)]
)
def test_a_creation_that_rolls_back_leaves_only_what_its_policy_retains_even_then(
    cloud: LocalCloud, name: str, policy: str, stays: bool
) -> None:
    data = bucket(BucketName=f"{name}-data") | {"DeletionPolicy": policy}
    stack = create(cloud, name, template(Data=data, Taken=taken(cloud) | {"DependsOn": "Data"}))
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    buckets = {each["Name"] for each in cloud.client("s3").list_buckets()["Buckets"]}
    assert (f"{name}-data" in buckets) == stays
    assert (("Data", "DELETE_SKIPPED") in events(cloud, name)) == stays


def test_an_update_that_rolls_back_leaves_nothing_that_it_created(cloud: LocalCloud, name: str) -> None:
    before = template(First=bucket(BucketName=f"{name}-first") | {"DeletionPolicy": "RetainExceptOnCreate"})
    create(cloud, name, before)
    second = bucket(BucketName=f"{name}-second") | {"DeletionPolicy": "RetainExceptOnCreate"}
    after = {**json.loads(before)["Resources"], "Second": second, "Taken": taken(cloud) | {"DependsOn": "Second"}}
    assert update(cloud, name, template(**after))["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    buckets = {each["Name"] for each in cloud.client("s3").list_buckets()["Buckets"]}
    assert {f"{name}-first", f"{name}-second"} & buckets == {f"{name}-first"}
    cloud.client("cloudformation").delete_stack(StackName=name)
    assert f"{name}-first" in {each["Name"] for each in cloud.client("s3").list_buckets()["Buckets"]}


def test_a_protected_database_fails_the_roll_back_of_its_creation_and_keeps_what_it_needs(
    cloud: LocalCloud, name: str
) -> None:
    """As on AWS: RDS refuses to delete it, and CloudFormation keeps what it depends on."""
    body = json.loads(
        template(
            Vpc={"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}},
            Subnet={"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.0.0.0/24"}},
            Subnets={
                "Type": "AWS::RDS::DBSubnetGroup",
                "Properties": {"DBSubnetGroupDescription": "d", "SubnetIds": [{"Ref": "Subnet"}]},
            },
            Database={
                "Type": "AWS::RDS::DBInstance",
                "DeletionPolicy": "RetainExceptOnCreate",
                "Properties": {
                    "DBInstanceIdentifier": name,
                    "Engine": "mysql",
                    "DBInstanceClass": "db.t4g.micro",
                    "AllocatedStorage": "20",
                    "MasterUsername": "me",
                    "MasterUserPassword": "long-enough",
                    "DBSubnetGroupName": {"Ref": "Subnets"},
                    "DeletionProtection": True,
                },
            },
            Data=bucket(),
            Taken=taken(cloud) | {"DependsOn": ["Database", "Data"]},
        )
    )
    stack = create(cloud, name, json.dumps(body))
    assert stack["StackStatus"] == "ROLLBACK_FAILED"
    left = ["Database", "Subnet", "Subnets", "Vpc"]
    assert sorted(ids(cloud, name)) == left
    assert all(resource in stack["StackStatusReason"] for resource in left)
    failures = cloud.client("cloudformation").describe_stack_events(StackName=name)["StackEvents"]
    reasons = [event["ResourceStatusReason"] for event in failures if event["ResourceStatus"] == "DELETE_FAILED"]
    assert len(reasons) == 1
    assert "Cannot delete protected DB Instance" in reasons[0]
    with pytest.raises(ClientError, match="is in ROLLBACK_FAILED state and can not be updated"):
        update(cloud, name, template(Data=bucket()))
    cloud.client("rds").modify_db_instance(DBInstanceIdentifier=name, DeletionProtection=False)
    cloud.client("rds").delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)


def test_a_bucket_with_objects_fails_the_deletion_by_name(cloud: LocalCloud, name: str) -> None:
    create(cloud, name, template(Data=bucket()))
    full = ids(cloud, name)["Data"]
    cloud.client("s3").put_object(Bucket=full, Key="k", Body=b"")
    cloud.client("cloudformation").delete_stack(StackName=name)
    assert describe(cloud, name)["StackStatus"] == "DELETE_FAILED"
    assert "Data" in describe(cloud, name)["StackStatusReason"]
    cloud.client("s3").delete_object(Bucket=full, Key="k")
    cloud.client("cloudformation").delete_stack(StackName=name)
    with pytest.raises(ClientError, match="does not exist"):
        describe(cloud, name)


def test_an_export_in_use_is_neither_deleted_nor_changed(cloud: LocalCloud, name: str) -> None:
    exporting = json.loads(template(Data=bucket()))
    exporting["Outputs"] = {"Out": {"Value": {"Ref": "Data"}, "Export": {"Name": f"{name}-data"}}}
    create(cloud, name, json.dumps(exporting))
    document = json.loads(allow("s3:GetObject", to=("events",)))
    policy = {"Bucket": {"Fn::ImportValue": f"{name}-data"}, "PolicyDocument": document}
    create(cloud, f"{name}-user", template(Policy={"Type": "AWS::S3::BucketPolicy", "Properties": policy}))
    with pytest.raises(ClientError, match=f"in use by {name}-user"):
        cloud.client("cloudformation").delete_stack(StackName=name)
    assert describe(cloud, name)["StackStatus"] == "CREATE_COMPLETE"


def test_change_sets_of_several_stacks_may_have_one_name(cloud: LocalCloud, name: str) -> None:
    cloudformation = cloud.client("cloudformation")
    for stack in (f"{name}-1", f"{name}-2"):
        body = json.dumps({**json.loads(template(Data=bucket())), "Outputs": {"Name": {"Value": {"Ref": "Data"}}}})
        change = {"StackName": stack, "ChangeSetName": "cdk-deploy"}
        cloudformation.create_change_set(**change, TemplateBody=body, ChangeSetType="CREATE")
    for stack in (f"{name}-1", f"{name}-2"):
        change = {"StackName": stack, "ChangeSetName": "cdk-deploy"}
        assert cloudformation.describe_change_set(**change)["StackName"] == stack
        cloudformation.execute_change_set(**change)
        assert cloud.outputs(stack)["Name"].startswith(stack)


def test_a_change_set_gives_a_new_stack_its_parameters(cloud: LocalCloud, name: str) -> None:
    """As `cdk bootstrap` and `aws cloudformation deploy` create stacks."""
    cloudformation = cloud.client("cloudformation")
    versioned = bucket(VersioningConfiguration={"Status": {"Ref": "Versioning"}})
    body = {**json.loads(template(Data=versioned)), "Parameters": {"Versioning": {"Type": "String"}}}
    body["Outputs"] = {"Name": {"Value": {"Ref": "Data"}}}
    change = {"StackName": name, "ChangeSetName": "first", "TemplateBody": json.dumps(body), "ChangeSetType": "CREATE"}
    values = {"Versioning": "Enabled", "Colour": "blue"}
    parameters = [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]
    with pytest.raises(ClientError, match=r"Parameters: \[Colour\] do not exist in the template"):
        cloudformation.create_change_set(**change, Parameters=parameters)
    cloudformation.create_change_set(**change, Parameters=parameters[:1])
    cloudformation.execute_change_set(StackName=name, ChangeSetName="first")
    made = cloud.outputs(name)["Name"]
    assert cloud.client("s3").get_bucket_versioning(Bucket=made)["Status"] == "Enabled"


# Updates take back what the template no longer says


def alarm(**properties: Any) -> dict[str, Any]:
    needed = {"Namespace": "N", "MetricName": "M", "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1}
    threshold = {"Threshold": 1, "ComparisonOperator": "GreaterThanThreshold"}
    return {"Type": "AWS::CloudWatch::Alarm", "Properties": needed | threshold | properties}


def test_an_update_without_a_property_gives_it_the_services_default(cloud: LocalCloud, name: str) -> None:
    """Services whose update replaces everything, merges, has one call for each aspect, or keeps a list of calls."""
    table = {
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "a", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "a", "KeyType": "HASH"}],
        "StreamSpecification": {"StreamViewType": "NEW_IMAGE"},
    }
    protection = {"DeletionProtectionEnabled": True}
    expiry = {"TimeToLiveSpecification": {"AttributeName": "t", "Enabled": True}}
    lifecycle = {"LifecycleConfiguration": {"Rules": [{"Status": "Enabled", "ExpirationInDays": 3}]}}
    pattern = {"EventPattern": {"source": ["a"]}}
    full = template(
        Jobs=queue(VisibilityTimeout=77, DelaySeconds=9),
        Alarm=alarm(AlarmActions=["arn:aws:sns:us-east-1:123456789012:ops"]),
        Rule={"Type": "AWS::Events::Rule", "Properties": {**pattern, "State": "DISABLED"}},
        Table={"Type": "AWS::DynamoDB::Table", "Properties": {**table, **expiry, **protection}},
        Topic={"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": "Ops"}},
        Data=bucket(**lifecycle, VersioningConfiguration={"Status": "Enabled"}),
    )
    bare = template(
        Jobs=queue(DelaySeconds=9),
        Alarm=alarm(),
        Rule={"Type": "AWS::Events::Rule", "Properties": pattern},
        Table={"Type": "AWS::DynamoDB::Table", "Properties": table},
        Topic={"Type": "AWS::SNS::Topic"},
        Data=bucket(),
    )
    sqs, dynamodb, s3 = (cloud.client(service) for service in ("sqs", "dynamodb", "s3"))
    create(cloud, name, full)
    for _ in range(2):  # from full to bare, and again after it was put back
        assert update(cloud, name, bare)["StackStatus"] == "UPDATE_COMPLETE"
        ids = {logical: physical(cloud, name, logical) for logical in json.loads(bare)["Resources"]}
        attributes = sqs.get_queue_attributes(QueueUrl=ids["Jobs"], AttributeNames=["All"])["Attributes"]
        assert (attributes["VisibilityTimeout"], attributes["DelaySeconds"]) == ("30", "9")
        alarms = cloud.client("cloudwatch").describe_alarms(AlarmNames=[ids["Alarm"]])["MetricAlarms"]
        assert not alarms[0]["AlarmActions"]
        assert cloud.client("events").describe_rule(Name=ids["Rule"])["State"] == "ENABLED"
        time_to_live = dynamodb.describe_time_to_live(TableName=ids["Table"])["TimeToLiveDescription"]
        assert time_to_live["TimeToLiveStatus"] == "DISABLED"
        described = dynamodb.describe_table(TableName=ids["Table"])["Table"]
        assert not described["DeletionProtectionEnabled"]
        assert described["StreamSpecification"]["StreamEnabled"]
        assert not cloud.client("sns").get_topic_attributes(TopicArn=ids["Topic"])["Attributes"]["DisplayName"]
        assert s3.get_bucket_versioning(Bucket=ids["Data"])["Status"] == "Suspended"
        with pytest.raises(ClientError, match="NoSuchLifecycleConfiguration"):
            s3.get_bucket_lifecycle_configuration(Bucket=ids["Data"])
        assert update(cloud, name, full)["StackStatus"] == "UPDATE_COMPLETE"
        assert wait_of(cloud, ids["Jobs"]) == "77"


def wait_of(cloud: LocalCloud, url: str) -> str:
    """A queue's visibility timeout in seconds."""
    attributes = cloud.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
    return str(attributes["Attributes"]["VisibilityTimeout"])


def test_an_update_that_cannot_take_a_property_back_names_it(cloud: LocalCloud, name: str) -> None:
    group = {"Type": "AWS::ElasticLoadBalancingV2::TargetGroup"}
    network = {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}}
    setting = {"TargetGroupAttributes": [{"Key": "deregistration_delay.timeout_seconds", "Value": "30"}]}
    needed = {"VpcId": {"Ref": "Net"}, "Port": 80, "Protocol": "HTTP"}
    create(cloud, name, template(Net=network, Group={**group, "Properties": {**needed, **setting}}))
    status = update(cloud, name, template(Net=network, Group={**group, "Properties": needed}))["StackStatus"]
    assert status == "UPDATE_ROLLBACK_COMPLETE"
    events = cloud.client("cloudformation").describe_stack_events(StackName=name)["StackEvents"]
    assert "cannot reset Attributes" in " ".join(event.get("ResourceStatusReason", "") for event in events)


def test_an_update_takes_away_tags(cloud: LocalCloud, name: str) -> None:
    def tagged(*keys: str) -> str:
        tags = {"Tags": [{"Key": key, "Value": "x"} for key in keys]}
        network = {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16", **tags}}
        policy = json.loads(allow("kms:*", to=("lambda",)))
        key = {
            "Type": "AWS::KMS::Key",
            "Properties": {"KeyPolicy": policy, "BypassPolicyLockoutSafetyCheck": True, **tags},
        }
        return template(Jobs=queue(**tags), Net=network, Key=key)

    create(cloud, name, tagged("a", "b"))
    for keys in (("b", "c"), ()):
        assert update(cloud, name, tagged(*keys))["StackStatus"] == "UPDATE_COMPLETE"
        url, network = physical(cloud, name, "Jobs"), physical(cloud, name, "Net")
        assert cloud.client("sqs").list_queue_tags(QueueUrl=url).get("Tags", {}).keys() == {*keys}
        vpc = cloud.client("ec2").describe_vpcs(VpcIds=[network])["Vpcs"][0]
        assert {tag["Key"] for tag in vpc.get("Tags", []) if not tag["Key"].startswith("aws:")} == {*keys}
        key_tags = cloud.client("kms").list_resource_tags(KeyId=physical(cloud, name, "Key"))["Tags"]
        assert {tag["TagKey"] for tag in key_tags} == {*keys}


# Nested stacks


@pytest.fixture
def parent(cloud: LocalCloud, name: str) -> Any:
    """Writes a child's template, and gives its parent's."""
    s3, bucket_name = cloud.client("s3"), f"{name}-templates"
    s3.create_bucket(Bucket=bucket_name)

    def write(wait: int, **more: Any) -> dict[str, Any]:
        body = {
            "Parameters": {"Wait": {"Type": "Number"}},
            "Resources": {"Jobs": queue(VisibilityTimeout={"Ref": "Wait"}), **more},
            "Outputs": {"Url": {"Value": {"Ref": "Jobs"}}},
        }
        s3.put_object(Bucket=bucket_name, Key="child.json", Body=json.dumps(body))
        url = f"https://{bucket_name}.s3.us-east-1.amazonaws.com/child.json"
        properties = {"TemplateURL": url, "Parameters": {"Wait": wait}}
        nested = {"Type": "AWS::CloudFormation::Stack", "Properties": properties}
        url_of_child = {"Value": {"Fn::GetAtt": ["Child", "Outputs.Url"]}}
        return {"Resources": {"Child": nested}, "Outputs": {"Url": url_of_child}}

    return write


def test_a_nested_stack_gives_outputs_and_is_updated_in_place_and_deleted(
    cloud: LocalCloud, name: str, parent: Any
) -> None:
    create(cloud, name, json.dumps(parent(45)))
    url, child = cloud.outputs(name)["Url"], physical(cloud, name, "Child")
    assert wait_of(cloud, url) == "45"
    assert describe(cloud, child)["ParentId"] == describe(cloud, name)["StackId"]
    assert update(cloud, name, json.dumps(parent(50)))["StackStatus"] == "UPDATE_COMPLETE"
    assert (wait_of(cloud, url), physical(cloud, name, "Child")) == ("50", child)
    body = parent(50, More=queue())  # another template at the same place
    assert update(cloud, name, json.dumps({**body, "Description": "new"}))["StackStatus"] == "UPDATE_COMPLETE"
    assert physical(cloud, child, "More")
    cloud.client("cloudformation").delete_stack(StackName=name)
    assert describe(cloud, child)["StackStatus"] == "DELETE_COMPLETE"


def test_a_failed_parent_leaves_no_child(cloud: LocalCloud, name: str, parent: Any) -> None:
    body = parent(45)
    body["Resources"]["Late"] = {**taken(cloud), "DependsOn": "Child"}
    assert create(cloud, name, json.dumps(body))["StackStatus"] == "ROLLBACK_COMPLETE"
    failing = json.dumps(parent(45, Taken=taken(cloud)))
    failed = create(cloud, f"{name}-2", failing)
    assert failed["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "was not successfully created" in failed["StackStatusReason"]
    pages = cloud.client("cloudformation").get_paginator("describe_stacks").paginate()
    stacks = {stack["StackName"] for page in pages for stack in page["Stacks"]}
    assert {stack for stack in stacks if stack.startswith(name)} == {name, f"{name}-2"}


def test_a_failed_update_brings_the_child_back(cloud: LocalCloud, name: str, parent: Any) -> None:
    create(cloud, name, json.dumps(parent(45)))
    url = cloud.outputs(name)["Url"]
    body = parent(50, More=queue())
    body["Resources"]["Late"] = {**taken(cloud), "DependsOn": "Child"}
    assert update(cloud, name, json.dumps(body))["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert wait_of(cloud, url) == "45"
    with pytest.raises(ClientError, match="More does not exist"):
        physical(cloud, physical(cloud, name, "Child"), "More")


# Change sets


def change(cloud: LocalCloud, stack: str, name: str, body: str, **more: Any) -> dict[str, Any]:
    """The description of a new change set."""
    cloudformation = cloud.client("cloudformation")
    cloudformation.create_change_set(
        StackName=stack, ChangeSetName=name, TemplateBody=body, Capabilities=["CAPABILITY_NAMED_IAM"], **more
    )
    described: dict[str, Any] = cloudformation.describe_change_set(StackName=stack, ChangeSetName=name)
    return described


def test_deleting_an_absent_change_set_succeeds_only_where_the_stack_exists(cloud: LocalCloud, name: str) -> None:
    cloudformation = cloud.client("cloudformation")
    with pytest.raises(ClientError, match=f"Stack .{name}. does not exist"):
        cloudformation.delete_change_set(StackName=name, ChangeSetName="never")
    create(cloud, name, template(Data=bucket()))
    cloudformation.delete_change_set(StackName=name, ChangeSetName="never")
    with pytest.raises(ClientError, match="ChangeSetNotFound"):
        cloudformation.describe_change_set(StackName=name, ChangeSetName="never")


def test_the_events_of_a_stack_tell_each_of_its_states(cloud: LocalCloud, name: str) -> None:
    cloudformation = cloud.client("cloudformation")
    for kind, age in (("CREATE", 60), ("UPDATE", 90)):
        body = template(Jobs=queue(VisibilityTimeout=age))
        cloudformation.create_change_set(
            StackName=name, ChangeSetName=kind, ChangeSetType=kind, TemplateBody=body, Description=str(age)
        )
        cloudformation.execute_change_set(StackName=name, ChangeSetName=kind)
    identifier = describe(cloud, name)["StackId"]
    cloudformation.delete_stack(StackName=name)
    events = cloudformation.describe_stack_events(StackName=identifier)["StackEvents"][::-1]
    assert [event["ResourceStatus"] for event in events if event["LogicalResourceId"] == name] == [
        "REVIEW_IN_PROGRESS",
        "CREATE_IN_PROGRESS",
        "CREATE_COMPLETE",
        "UPDATE_IN_PROGRESS",
        "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
        "UPDATE_COMPLETE",
        "DELETE_IN_PROGRESS",
        "DELETE_COMPLETE",
    ]


def test_each_resource_has_a_status_of_its_own(cloud: LocalCloud, name: str) -> None:
    create(cloud, name, template(Jobs=queue(), Other=queue()))
    update(cloud, name, template(Jobs=queue(VisibilityTimeout=90), Other=queue()))
    cloudformation = cloud.client("cloudformation")
    for resources in (
        cloudformation.describe_stack_resources(StackName=name)["StackResources"],
        cloudformation.list_stack_resources(StackName=name)["StackResourceSummaries"],
    ):
        statuses = {resource["LogicalResourceId"]: resource["ResourceStatus"] for resource in resources}
        assert statuses == {"Jobs": "UPDATE_COMPLETE", "Other": "CREATE_COMPLETE"}
    url = physical(cloud, name, "Jobs")
    (of_queue,) = cloudformation.describe_stack_resources(PhysicalResourceId=url)["StackResources"]
    assert (of_queue["StackName"], of_queue["LogicalResourceId"]) == (name, "Jobs")


def test_a_stack_lists_its_own_change_sets_with_their_templates(cloud: LocalCloud, name: str) -> None:
    cloudformation, body = cloud.client("cloudformation"), template(Jobs=queue())
    for stack in (name, f"{name}-other"):
        cloudformation.create_change_set(
            StackName=stack, ChangeSetName="first", ChangeSetType="CREATE", TemplateBody=body
        )
    (listed,) = cloudformation.list_change_sets(StackName=name)["Summaries"]
    assert (listed["StackName"], listed["ChangeSetName"], listed["Status"]) == (name, "first", "CREATE_COMPLETE")
    found = cloudformation.get_template(StackName=name, ChangeSetName="first")
    assert found["TemplateBody"] == json.loads(body)
    assert found["StagesAvailable"] == ["Original", "Processed"]


def test_a_text_that_is_partly_known_is_shown_as_known_after_the_change(cloud: LocalCloud, name: str) -> None:
    topic = {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": {"Fn::Sub": "of ${Jobs.Arn}"}}}
    cloudformation = cloud.client("cloudformation")
    cloudformation.create_change_set(
        StackName=name, ChangeSetName="first", ChangeSetType="CREATE", TemplateBody=template(Jobs=queue(), Topic=topic)
    )
    described = cloudformation.describe_change_set(StackName=name, ChangeSetName="first", IncludePropertyValues=True)
    of_topic = json.loads(described["Changes"][1]["ResourceChange"]["AfterContext"])
    assert of_topic == {"Properties": {"DisplayName": "{{changeSet:KNOWN_AFTER_APPLY}}"}}


@pytest.mark.parametrize("stage", ["prod", "dev"])
def test_a_condition_may_decide_what_a_stack_leaves_behind(cloud: LocalCloud, name: str, stage: str) -> None:
    policy = {"Fn::If": ["IsProduction", "Retain", "Delete"]}
    parameter = {
        "Type": "AWS::SSM::Parameter",
        "DeletionPolicy": policy,
        "Properties": {"Type": "String", "Value": "a"},
    }
    body = {
        "Parameters": {"Stage": {"Type": "String"}},
        "Conditions": {"IsProduction": {"Fn::Equals": [{"Ref": "Stage"}, "prod"]}},
        "Resources": {"Kept": parameter},
    }
    create(cloud, name, json.dumps(body), Stage=stage)
    kept = physical(cloud, name, "Kept")
    cloud.client("cloudformation").delete_stack(StackName=name)
    assert bool(cloud.client("ssm").get_parameters(Names=[kept])["Parameters"]) == (stage == "prod")


def test_a_deleted_stack_does_not_come_back(cloud: LocalCloud, name: str) -> None:
    identifier = create(cloud, name, template(Jobs=queue()))["StackId"]
    cloudformation = cloud.client("cloudformation")
    cloudformation.delete_stack(StackName=name)
    with pytest.raises(ClientError, match="already exists and cannot be created again"):
        cloudformation.create_change_set(
            StackName=identifier, ChangeSetName="again", ChangeSetType="CREATE", TemplateBody=template(Jobs=queue())
        )


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://example.com/template.yaml", "must be a supported URL"),
        ("s3://bucket/template.yaml", "Domain name specified in bucket is not a valid S3 domain"),
    ],
)
def test_a_template_is_read_from_s3_only(cloud: LocalCloud, name: str, url: str, words: str) -> None:
    with pytest.raises(ClientError, match=words):
        cloud.client("cloudformation").create_stack(StackName=name, TemplateURL=url)


def test_a_change_set_without_changes_fails_and_cannot_be_executed(cloud: LocalCloud, name: str) -> None:
    parameters = {"Size": {"Type": "Number", "Default": 30}}
    body = json.dumps({**json.loads(template(Data=bucket())), "Parameters": parameters})
    create(cloud, name, body)
    explicit = [{"ParameterKey": "Size", "ParameterValue": "30"}]
    previous = [{"ParameterKey": "Size", "UsePreviousValue": True}]
    for number, values in enumerate(([], explicit, previous)):
        empty = change(cloud, name, f"empty-{number}", body, Parameters=values)
        assert (empty["Status"], empty["ExecutionStatus"]) == ("FAILED", "UNAVAILABLE")
        assert empty["StatusReason"].startswith("The submitted information didn't contain changes.")
    with pytest.raises(ClientError, match="InvalidChangeSetStatus"):
        cloud.client("cloudformation").execute_change_set(StackName=name, ChangeSetName="empty-0")
    with pytest.raises(ClientError, match="No updates are to be performed"):
        cloud.client("cloudformation").update_stack(
            StackName=name, TemplateBody=body, Parameters=explicit, Capabilities=["CAPABILITY_NAMED_IAM"]
        )
    assert describe(cloud, name)["StackStatus"] == "CREATE_COMPLETE"


def test_new_tags_alone_are_an_update(cloud: LocalCloud, name: str) -> None:
    body = template(Data=bucket())
    create(cloud, name, body)
    tags = [{"Key": "team", "Value": "data"}]
    assert change(cloud, name, "tags", body, Tags=tags)["Status"] == "CREATE_COMPLETE"
    cloud.client("cloudformation").execute_change_set(StackName=name, ChangeSetName="tags")
    described = describe(cloud, name)
    assert (described["StackStatus"], described["Tags"]) == ("UPDATE_COMPLETE", tags)
    assert change(cloud, name, "again", body, Tags=tags)["Status"] == "FAILED"
    again = change(cloud, name, "again", body, Tags=[{"Key": "team", "Value": "web"}])  # a failed one's name is free
    assert again["Status"] == "CREATE_COMPLETE"


def test_a_change_set_fits_the_stack_that_it_is_for(cloud: LocalCloud, name: str) -> None:
    body = template(Data=bucket())
    with pytest.raises(ClientError, match="does not exist"):  # the default type is an update
        change(cloud, name, "first", body)
    stack = change(cloud, name, "first", body, ChangeSetType="CREATE")["StackId"]
    assert change(cloud, name, "second", body, ChangeSetType="CREATE")["StackId"] == stack
    with pytest.raises(ClientError, match="AlreadyExists"):
        change(cloud, name, "second", body, ChangeSetType="CREATE")
    cloud.client("cloudformation").execute_change_set(StackName=name, ChangeSetName="second")
    with pytest.raises(ClientError, match="ChangeSetNotFound"):
        cloud.client("cloudformation").describe_change_set(StackName=name, ChangeSetName="first")
    with pytest.raises(ClientError, match="already exists and cannot be created again"):
        change(cloud, name, "third", body, ChangeSetType="CREATE")
    with pytest.raises(ClientError, match="does not import existing resources"):
        change(cloud, name, "third", body, ChangeSetType="IMPORT")


def test_change_sets_of_one_name_update_a_stack_again_and_again(cloud: LocalCloud, name: str) -> None:
    """As plain `cdk deploy` does."""
    create(cloud, name, template(Jobs=queue(VisibilityTimeout=30)))
    for seconds in (40, 50):
        cloud.client("cloudformation").delete_change_set(StackName=name, ChangeSetName="cdk-deploy-change-set")
        change(cloud, name, "cdk-deploy-change-set", template(Jobs=queue(VisibilityTimeout=seconds)))
        cloud.client("cloudformation").execute_change_set(StackName=name, ChangeSetName="cdk-deploy-change-set")
        url = physical(cloud, name, "Jobs")
        attributes = cloud.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        assert attributes["VisibilityTimeout"] == str(seconds)


def test_a_stack_that_is_not_deployed_has_no_outputs(cloud: LocalCloud) -> None:
    with pytest.raises(Exception, match="groundwork local deploy Nowhere"):
        cloud.outputs("Nowhere")


# S3, as stacks and jobs use it


def test_a_policy_that_demands_tls_does_not_shut_out_the_laptop(cloud: LocalCloud, name: str) -> None:
    deny = {
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": "s3:*",
        "Resource": "*",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    policy = {"Bucket": {"Ref": "Data"}, "PolicyDocument": {"Version": "2012-10-17", "Statement": [deny]}}
    create(cloud, name, template(Data=bucket(), Policy={"Type": "AWS::S3::BucketPolicy", "Properties": policy}))
    s3, data = cloud.client("s3"), ids(cloud, name)["Data"]
    s3.put_object(Bucket=data, Key="k", Body=b"v")
    assert s3.get_object(Bucket=data, Key="k")["Body"].read() == b"v"


def test_large_files_and_presigned_urls_arrive_whole(cloud: LocalCloud, tmp_path: Any) -> None:
    import hashlib
    import urllib.request

    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="large")
    content = bytes(range(256)) * 4096 * 24  # 24 MiB: three parts
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(content)
    s3.upload_file(str(source), "large", "a/b c+ü.bin")
    assert s3.head_object(Bucket="large", Key="a/b c+ü.bin")["ContentLength"] == len(content)
    s3.download_file("large", "a/b c+ü.bin", str(target))
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "large", "Key": "a/b c+ü.bin"})
    with urllib.request.urlopen(url) as answer:  # noqa: S310 - the local cloud's own address
        digest = hashlib.sha256(answer.read()).hexdigest()
    assert digest == hashlib.sha256(target.read_bytes()).hexdigest() == hashlib.sha256(content).hexdigest()


def test_an_image_repository_keeps_its_images_when_its_lifecycle_policy_goes(cloud: LocalCloud, name: str) -> None:
    rule = {
        "rulePriority": 1,
        "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 9},
        "action": {"type": "expire"},
    }
    policy = {"LifecyclePolicyText": json.dumps({"rules": [rule]})}
    create(cloud, name, template(Images={"Type": "AWS::ECR::Repository", "Properties": {"LifecyclePolicy": policy}}))
    ecr, images = cloud.client("ecr"), ids(cloud, name)["Images"]
    assert json.loads(ecr.get_lifecycle_policy(repositoryName=images)["lifecyclePolicyText"]) == {"rules": [rule]}
    assert update(cloud, name, template(Images={"Type": "AWS::ECR::Repository"}))["StackStatus"] == "UPDATE_COMPLETE"
    assert ids(cloud, name)["Images"] == images
    with pytest.raises(ClientError, match="LifecyclePolicyNotFoundException"):
        ecr.get_lifecycle_policy(repositoryName=images)


# Every type


#: What the inventory lists and no resource type makes.
NO_TYPE = {"database snapshots", "graph snapshots"}


def test_every_type_is_created_and_deleted_without_leftovers(cloud: LocalCloud, name: str) -> None:
    body = EVERY_TYPE.read_text()
    used = {resource["Type"] for resource in templates.parse(body)["Resources"].values()}
    assert used >= {kind for room in rooms() for kind in room.table("types.yaml")}
    cloud.client("s3").create_bucket(Bucket=f"{name}-archives")
    cloud.client("s3").put_object(Bucket=f"{name}-archives", Key="layer.zip", Body=archive("python/shared.py", ""))
    before = inventory(cloud.client)
    stack = create(cloud, name, body, {"Owner": "tests"}, Archives=f"{name}-archives")
    assert stack["StackStatus"] == "CREATE_COMPLETE", stack["StackStatusReason"]
    during = inventory(cloud.client)
    assert {kind for kind in before if during[kind] <= before[kind]} == NO_TYPE
    retagged = update(cloud, name, body, {"CostCenter": "42"}, Archives=f"{name}-archives")
    assert retagged["StackStatus"] == "UPDATE_COMPLETE", retagged["StackStatusReason"]
    cloud.client("cloudformation").delete_stack(StackName=name)
    assert describe(cloud, stack["StackId"])["StackStatus"] == "DELETE_COMPLETE"
    assert inventory(cloud.client) == before


#: Types whose names are not in what ``Ref`` gives.
NAMES_BESIDE_REF = {
    "AWS::ApiGateway::ApiKey",
    "AWS::ApiGateway::UsagePlan",
    "AWS::EC2::LaunchTemplate",
    "AWS::EC2::SecurityGroup",
    "AWS::Timestream::InfluxDBCluster",
    "AWS::Timestream::InfluxDBInstance",
}


def test_every_type_takes_the_name_that_its_template_gives(cloud: LocalCloud, name: str) -> None:
    body = templates.parse(EVERY_TYPE.read_text())
    names = {}
    for number, (logical, resource) in enumerate(body["Resources"].items()):
        properties, kind = resource.setdefault("Properties", {}), resource["Type"]
        row = {kind: row for room in rooms() for kind, row in room.table("types.yaml").items()}.get(kind, {})
        schema = schemas.schema(kind) or {"properties": {}}
        members = [
            key for key in schema["properties"] if f"/properties/{key}" not in schema.get("readOnlyProperties", [])
        ]
        renamed = {parameter: key for key, parameter in row.get("rename", {}).items()}
        parameter = row.get("name", "")
        key = next((key for key in members if key.lower() == renamed.get(parameter, parameter).lower()), None)
        if key and key not in properties:
            names[logical] = properties[key] = f"named-{number}"
    cloud.client("s3").create_bucket(Bucket=f"{name}-archives")
    cloud.client("s3").put_object(Bucket=f"{name}-archives", Key="layer.zip", Body=archive("python/shared.py", ""))
    url = cloud.template_url(json.dumps(body))
    parameters = [{"ParameterKey": "Archives", "ParameterValue": f"{name}-archives"}]
    cloudformation = cloud.client("cloudformation")
    cloudformation.create_stack(
        StackName=name, TemplateURL=url, Parameters=parameters, Capabilities=["CAPABILITY_NAMED_IAM"]
    )
    stack = describe(cloud, name)
    assert stack["StackStatus"] == "CREATE_COMPLETE", stack["StackStatusReason"]
    wrong = {
        (body["Resources"][logical]["Type"], wanted, physical(cloud, name, logical))
        for logical, wanted in names.items()
        if wanted not in physical(cloud, name, logical)
    }
    assert {kind for kind, *_ in wrong} == NAMES_BESIDE_REF, wrong
    cloudformation.delete_stack(StackName=name)


def test_what_somebody_else_has_deleted_is_no_reason_to_fail(cloud: LocalCloud, name: str) -> None:
    create(cloud, name, template(Bucket=bucket(), Queue=queue()))
    cloud.client("s3").delete_bucket(Bucket=physical(cloud, name, "Bucket"))
    cloud.client("sqs").delete_queue(QueueUrl=physical(cloud, name, "Queue"))
    stack = describe(cloud, name)["StackId"]
    cloud.client("cloudformation").delete_stack(StackName=name)
    assert describe(cloud, stack)["StackStatus"] == "DELETE_COMPLETE"
    assert "DELETE_FAILED" not in [status for _, status in events(cloud, stack)]
