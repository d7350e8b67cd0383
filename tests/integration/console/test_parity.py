"""A stack deployed from its console template by plain boto3 is the stack that the CDK deploys."""

import json
import re
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from infra.console import FOLDER, TEMPLATES
from localcloud import LocalCloud

Json = dict[str, Any]

pytestmark = pytest.mark.timeout(600)

UNIQUE = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{4}-\d\d-\d\dT[\d:.]+|-[A-Z0-9]{12,26}\b")
SHORTEST = 5  # characters of a physical id that is one; shorter ones are words that stand elsewhere too
#: What no two deployments have in common.
PASSING = re.compile(
    r"(?i)(date|time|created|updated|modified|revision|version|uuid|port|address|endpoint|token|lastseen|sequence|"
    r"status|state|hostid|latest|attachtime|requestid|allocation|association|resourceid|dbirid|caidentifier)"
)


@pytest.fixture(scope="module")
def settings(cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> Json:
    """Settings that a console template must be given, and the same for the CDK: a network, a code bundle."""
    ec2, s3 = cloud.client("ec2"), cloud.client("s3")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.9.{index}.0/24", AvailabilityZone=f"us-east-1{zone}")
        for index, zone in enumerate("ab")
    ]
    bundle = tmp_path_factory.mktemp("code") / "code.zip"
    with zipfile.ZipFile(bundle, "w") as archive:
        archive.writestr("workloads/__init__.py", "")
    s3.create_bucket(Bucket="code")
    s3.upload_file(str(bundle), "code", "code.zip")
    return {
        "vpc_id": vpc,
        "subnet_ids": ",".join(subnet["Subnet"]["SubnetId"] for subnet in subnets),
        "code": "s3://code/code.zip",
        "email": "you@example.com",
    }


def of_stack(file: str, settings: Json) -> Json:
    """Those of the settings that a stack has."""
    _, name = TEMPLATES[file]
    template = (FOLDER / file).read_text()
    return {key: value for key, value in settings.items() if f"\n  {parameter(key)}:\n" in template and name}


def parameter(setting: str) -> str:
    return "".join(word.title() for word in setting.split("_"))


@pytest.fixture(scope="module")
def deployed(cloud: LocalCloud, settings: Json) -> LocalCloud:
    """All stacks by the CDK, and all again from their files."""
    context = {
        f"{TEMPLATES[file][1]}.{key}": value for file in TEMPLATES for key, value in of_stack(file, settings).items()
    }
    cloud.deploy(context=context)
    cloudformation = cloud.client("cloudformation")
    for file, (kind, _) in TEMPLATES.items():
        cloudformation.create_stack(
            StackName=f"Console{kind.__name__}",
            TemplateBody=(FOLDER / file).read_text(),
            Capabilities=["CAPABILITY_IAM"],
            Parameters=[
                {"ParameterKey": parameter(key), "ParameterValue": value}
                for key, value in of_stack(file, settings).items()
            ],
        )
    return cloud


def resources(cloud: LocalCloud, stack: str) -> dict[str, tuple[str, str]]:
    """Type and physical id of a stack's resources, by logical id."""
    pages = cloud.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
    return {
        found["LogicalResourceId"]: (found["ResourceType"], found["PhysicalResourceId"])
        for page in pages
        for found in page["StackResourceSummaries"]
        if found["ResourceType"] != "AWS::CDK::Metadata"
    }


def describers(cloud: LocalCloud) -> dict[str, Callable[[str], Any]]:
    """How to ask for what protects and defines a resource, by type, from its physical id."""
    s3, iam, ec2, sqs, sns = (cloud.client(name) for name in ("s3", "iam", "ec2", "sqs", "sns"))
    logs, kms, rds, batch = (cloud.client(name) for name in ("logs", "kms", "rds", "batch"))
    functions, alarms, events = (cloud.client(name) for name in ("lambda", "cloudwatch", "events"))
    dynamodb = cloud.client("dynamodb")

    def bucket(name: str) -> Json:
        return {
            "encryption": s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"],
            "public": s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"],
            "policy": json.loads(s3.get_bucket_policy(Bucket=name)["Policy"]),
            "versions": s3.get_bucket_versioning(Bucket=name).get("Status"),
        }

    def role(name: str) -> Json:
        policies = iam.list_role_policies(RoleName=name)["PolicyNames"]
        return {
            "trusted": iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"],
            "allowed": sorted(
                json.dumps(iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"], sort_keys=True)
                for policy in policies
            ),
            "managed": iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"],
        }

    def security_group(group: str) -> Json:
        found = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]
        return {"in": found["IpPermissions"], "out": found["IpPermissionsEgress"]}

    def function(name: str) -> Json:
        found: Json = functions.get_function_configuration(FunctionName=name)
        return {key: found.get(key) for key in ("Runtime", "Handler", "Environment", "CodeSha256", "Role", "Timeout")}

    def launch_template(template: str) -> Json:
        [found] = ec2.describe_launch_template_versions(LaunchTemplateId=template, Versions=["$Latest"])[
            "LaunchTemplateVersions"
        ]
        data: Json = found["LaunchTemplateData"]
        return {key: data.get(key) for key in ("MetadataOptions", "BlockDeviceMappings", "InstanceType", "ImageId")}

    return {
        "AWS::S3::Bucket": bucket,
        "AWS::IAM::Role": role,
        "AWS::EC2::SecurityGroup": security_group,
        "AWS::EC2::LaunchTemplate": launch_template,
        "AWS::Lambda::Function": function,
        "AWS::SQS::Queue": lambda url: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"],
        "AWS::SNS::Topic": lambda arn: sns.get_topic_attributes(TopicArn=arn)["Attributes"],
        "AWS::KMS::Key": lambda key: kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"],
        "AWS::Logs::LogGroup": lambda name: logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"][0],
        "AWS::RDS::DBInstance": lambda name: rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0],
        "AWS::DynamoDB::Table": lambda name: dynamodb.describe_table(TableName=name)["Table"],
        "AWS::CloudWatch::Alarm": lambda name: alarms.describe_alarms(AlarmNames=[name])["MetricAlarms"],
        "AWS::Events::Rule": lambda name: events.describe_rule(Name=name.rpartition("|")[2])["EventPattern"],
        "AWS::Batch::JobDefinition": lambda arn: batch.describe_job_definitions(jobDefinitions=[arn])["jobDefinitions"],
    }


def comparable(value: Any, names: dict[str, str]) -> Any:
    """A description with physical ids replaced by logical ones, without what no two deployments have in common."""
    if isinstance(value, dict):
        return {
            key: comparable(item, names)
            for key, item in sorted(value.items())
            if not PASSING.search(key) and key != "ResponseMetadata"
        }
    if isinstance(value, list):
        return sorted((comparable(item, names) for item in value), key=lambda item: json.dumps(item, default=str))
    text = str(value)
    for physical, logical in names.items():
        text = text.replace(physical, logical)
    return UNIQUE.sub("#", text)


@pytest.mark.parametrize("file", TEMPLATES)
def test_the_console_stack_has_the_same_resources(deployed: LocalCloud, file: str) -> None:
    kind, _ = TEMPLATES[file]
    of_cdk, of_console = (resources(deployed, stack) for stack in (kind.__name__, f"Console{kind.__name__}"))
    kinds = [{name: kind for name, (kind, _) in found.items()} for found in (of_cdk, of_console)]
    assert kinds[0] == kinds[1]


@pytest.mark.parametrize("file", TEMPLATES)
def test_the_console_stack_is_protected_alike(deployed: LocalCloud, file: str) -> None:
    kind, _ = TEMPLATES[file]
    describe = describers(deployed)
    compared = []
    for stack in (kind.__name__, f"Console{kind.__name__}"):
        found = resources(deployed, stack)
        names = {physical: logical for logical, (_, physical) in found.items()}
        names |= {physical.rpartition("/")[2]: logical for physical, logical in names.items() if "/" in physical}
        long = sorted((name for name in names if len(name) > SHORTEST), key=len, reverse=True)
        names = {name: names[name] for name in long} | {f"Console{kind.__name__}": kind.__name__}
        compared.append(
            {
                logical: comparable(describe[type_](physical), names)
                for logical, (type_, physical) in found.items()
                if type_ in describe
            }
        )
    assert compared[0], "nothing was compared"
    assert compared[0] == compared[1]
