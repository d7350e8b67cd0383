"""CloudFormation: parameters, updates, roll-backs, refusals, deletions."""

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.exceptions import ClientError

import localcloud.cloudformation
from localcloud import LocalCloud
from localcloud.cloud.inventory import inventory
from localcloud.cloudformation import templates

EVERY_TYPE = Path(__file__).with_name("every_type.yaml")
ROWS = Path(localcloud.cloudformation.__path__[0]) / "types.yaml"

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


def bucket(**properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::S3::Bucket", "Properties": properties}


def taken(cloud: LocalCloud) -> dict[str, Any]:
    """A resource that cannot be created: its name is taken."""
    name = uuid.uuid4().hex
    cloud.client("logs").create_log_group(logGroupName=name)
    return {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": name}}


@pytest.fixture
def name() -> str:
    return f"stack-{uuid.uuid4().hex[:8]}"


def create(cloud: LocalCloud, name: str, body: str, **parameters: str) -> dict[str, Any]:
    given = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
    cloud.client("cloudformation").create_stack(StackName=name, TemplateBody=body, Parameters=given)
    return describe(cloud, name)


def update(cloud: LocalCloud, name: str, body: str) -> dict[str, Any]:
    cloud.client("cloudformation").update_stack(StackName=name, TemplateBody=body)
    return describe(cloud, name)


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
        ({"Type": "AWS::CodeBuild::Project", "Properties": {}}, "AWS::CodeBuild::Project"),
        (bucket(Colour="blue"), "Colour"),
        (bucket(VersioningConfiguration={"Statsu": "Enabled"}), "VersioningConfiguration.Statsu"),
        (bucket(BucketName={"Fn::Reverse": "x"}), "Fn::Reverse"),
    ],
    ids=["no such type", "type not carried", "property", "nested property", "function"],
)
def test_what_the_local_cloud_does_not_know_is_refused_by_name(
    cloud: LocalCloud, name: str, resource: dict[str, Any], named: str
) -> None:
    with pytest.raises(ClientError, match=named):
        create(cloud, name, template(Thing=resource))
    with pytest.raises(ClientError, match="does not exist"):
        describe(cloud, name)


def test_a_property_that_a_type_does_not_carry_fails_the_deployment_by_name(cloud: LocalCloud, name: str) -> None:
    stack = create(cloud, name, template(Data=bucket(AccelerateConfiguration={"AccelerationStatus": "Enabled"})))
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "Data (AWS::S3::Bucket)" in stack["StackStatusReason"]
    assert "AccelerateConfiguration" in stack["StackStatusReason"]


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
    policy = {"Type": "AWS::S3::BucketPolicy", "Properties": {"Bucket": {"Ref": "Data"}, "PolicyDocument": {}}}
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
    """As on AWS: RDS refuses to delete it, and CloudFormation leaves what it depends on alone."""
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
    policy = {"Bucket": {"Fn::ImportValue": f"{name}-data"}, "PolicyDocument": {}}
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
    import hashlib  # noqa: PLC0415
    import urllib.request  # noqa: PLC0415

    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="large")
    content = bytes(range(256)) * 4096 * 24  # 24 MiB: three parts
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(content)
    s3.upload_file(str(source), "large", "a/b c+ü.bin")
    assert s3.head_object(Bucket="large", Key="a/b c+ü.bin")["ContentLength"] == len(content)
    s3.download_file("large", "a/b c+ü.bin", str(target))
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "large", "Key": "a/b c+ü.bin"})
    with urllib.request.urlopen(url) as answer:  # noqa: S310 (the local cloud's own address)
        digest = hashlib.sha256(answer.read()).hexdigest()
    assert digest == hashlib.sha256(target.read_bytes()).hexdigest() == hashlib.sha256(content).hexdigest()


# Every type


def test_every_type_is_created_and_deleted_without_leftovers(cloud: LocalCloud, name: str) -> None:
    body = EVERY_TYPE.read_text()
    used = {resource["Type"] for resource in templates.parse(body)["Resources"].values()}
    assert used >= yaml.safe_load(ROWS.read_text()).keys()
    before = inventory(cloud.client)
    stack = create(cloud, name, body)
    assert stack["StackStatus"] == "CREATE_COMPLETE", stack["StackStatusReason"]
    during = inventory(cloud.client)
    assert not [kind for kind in before if during[kind] <= before[kind]]
    cloud.client("cloudformation").delete_stack(StackName=name)
    assert describe(cloud, stack["StackId"])["StackStatus"] == "DELETE_COMPLETE"
    assert inventory(cloud.client) == before
