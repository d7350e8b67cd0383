"""Every stack twice in one cloud, by the CDK and from its console template: both are the same, and both go.

What is removed leaves nothing but what its template retains, by name; data are deleted only if both settings allow it.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from groundwork.__main__ import app, main
from infra.console.templates import FOLDER, TEMPLATES
from localcloud import LocalCloud
from localcloud.cloud.inventory import inventory

Json = dict[str, Any]

pytestmark = pytest.mark.timeout(600)

STACKS = {file: stack.__name__ for file, stack in TEMPLATES.items()}
ALL = [*STACKS.values(), *(f"Console{stack}" for stack in STACKS.values())]
#: What a stack makes for itself where it is given no network.
OWN_NETWORK = re.compile(r"Network(Vpc|FlowLogs)")
UNIQUE = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{4}-\d\d-\d\dT[\d:.]+|-[A-Z0-9]{12,26}\b")
SHORTEST = 5  # characters of a physical id that is one; shorter ones are words that stand elsewhere too
#: What no two deployments have in common.
PASSING = re.compile(
    r"(?i)(date|time|created|updated|modified|revision|version|uuid|port|address|endpoint|token|lastseen|sequence|"
    r"status|state|hostid|latest|attachtime|requestid|allocation|association|resourceid|dbirid|caidentifier|storedbytes)"
)
#: What AWS makes by itself when a resource is made that stays, and keeps with it.
COMES_WITH = {
    "AWS::EC2::VPC": {"route tables", "security groups"},  # the main table and the default group
}
#: What is left of databases whose policy is to leave a final snapshot, by kind of the inventory.
SNAPSHOTS = {"database snapshots", "graph snapshots"}
KEYS = {"allow_data_deletion": "true", "training.delete_data": "true"}
BOTH = [part for key, value in KEYS.items() for part in ("-c", f"{key}={value}")]


@dataclass(frozen=True)
class Deployed:
    """All stacks while they were there.

    Attributes:
        before: By kind, the names of what there was before.
        kept: By stack, physical ids and types of what its template retains.
        types: By stack, resource types by logical id.
        described: By stack, what protects and defines its resources, by logical id.
    """

    before: dict[str, set[str]]
    kept: dict[str, dict[str, str]]
    types: dict[str, dict[str, str]]
    described: dict[str, Json]


@dataclass(frozen=True)
class Removal:
    """What was said and what is left when all stacks were removed.

    Attributes:
        left: By kind, the names of what is left.
        declined: What `groundwork destroy TerminationAlarm` said, and its exit code, when the answer was no.
        one_key: The error of `groundwork destroy Training` with one key to data that may go.
        both_keys: What it said with both.
    """

    left: dict[str, set[str]]
    declined: tuple[str, int]
    one_key: str
    both_keys: str


def without_repetitions(policy: Json) -> Json:
    """A policy whose statements name each resource once: two parameters of a console template may have one value."""
    statements = [
        {
            **statement,
            "Resource": sorted(
                {statement["Resource"]} if isinstance(statement["Resource"], str) else {*statement["Resource"]}
            ),
        }
        for statement in policy["Statement"]
    ]
    return {**policy, "Statement": statements}


@pytest.fixture(scope="module")
def shell(cloud: LocalCloud) -> Iterator[LocalCloud]:
    """A shell in the project's folder after `eval "$(groundwork local env)"`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(Path(__file__).parents[3])
        for name, value in cloud.shell_environment().items():
            patch.setenv(name, value)
        yield cloud


@pytest.fixture(scope="module")
def deployed(shell: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> Deployed:
    """All stacks by the CDK, Training so that its data may go; and all again from their files, in the same networks."""
    settings = {"code": code_bundle(shell, tmp_path_factory.mktemp("code")), "email": "you@example.com"}
    urls = {file: shell.template_url((FOLDER / file).read_text()) for file in STACKS}
    before = inventory(shell.client)
    of_cdk = {
        f"{stack.SECTION}.{key}": value
        for file, stack in TEMPLATES.items()
        for key, value in settings.items()
        if asks_for(file, key)
    }
    shell.deploy(context=KEYS | of_cdk)
    for file, stack in STACKS.items():
        values = settings | (network(shell, stack) if asks_for(file, "vpc_id") else {})
        shell.client("cloudformation").create_stack(
            StackName=f"Console{stack}",
            TemplateURL=urls[file],
            Capabilities=["CAPABILITY_IAM"],
            Parameters=[
                {"ParameterKey": parameter(key), "ParameterValue": value}
                for key, value in values.items()
                if asks_for(file, key)
            ],
        )
    found = {stack: resources(shell, stack) for stack in ALL}
    return Deployed(
        before=before,
        kept={stack: retained(shell, stack) for stack in ALL},
        types={stack: {name: kind for name, (kind, _) in of.items()} for stack, of in found.items()},
        described={stack: described(shell, stack, found) for stack in ALL},
    )


@pytest.fixture(scope="module")
def removal(shell: LocalCloud, deployed: Deployed) -> Removal:
    """Training removed by our command, the rest by AWS's; first the console's stacks, who stand in others' networks."""
    during = inventory(shell.client)
    assert sum(len(during[kind] - deployed.before[kind]) for kind in during) > 200
    fill(shell)
    declined = groundwork("destroy", "TerminationAlarm", answer="n\n")
    cloudformation = shell.client("cloudformation")
    for stack in STACKS.values():
        cloudformation.delete_stack(StackName=f"Console{stack}")
    one_key = groundwork("destroy", "Training", "--yes", *BOTH[:2])
    both_keys = groundwork("destroy", "Training", *BOTH, answer="y\n")
    assert both_keys.exit_code == 0, both_keys.output
    for stack in STACKS.values():
        cloudformation.delete_stack(StackName=stack)
    assert cloudformation.describe_stacks()["Stacks"] == []
    after = inventory(shell.client)
    left = {kind: new for kind, names in after.items() if (new := names - deployed.before[kind])}
    return Removal(left, (declined.output, declined.exit_code), str(one_key.exception), both_keys.output)


def code_bundle(cloud: LocalCloud, folder: Path) -> str:
    """Address of a code bundle that the stacks take."""
    with zipfile.ZipFile(folder / "code.zip", "w") as archive:
        archive.writestr("workloads/__init__.py", "")
    cloud.client("s3").create_bucket(Bucket="code")
    cloud.client("s3").upload_file(str(folder / "code.zip"), "code", "code.zip")
    return "s3://code/code.zip"


def parameter(setting: str) -> str:
    return "".join(word.title() for word in setting.split("_"))


def asks_for(file: str, setting: str) -> bool:
    return f"\n  {parameter(setting)}:\n" in (FOLDER / file).read_text()


def network(cloud: LocalCloud, stack: str) -> Json:
    """The settings that name the network which a stack made for itself."""
    made = resources(cloud, stack)
    subnets = [physical for kind, physical in made.values() if kind == "AWS::EC2::Subnet"]
    return {"vpc_id": made["NetworkVpc"][1], "subnet_ids": ",".join(subnets)}


def resources(cloud: LocalCloud, stack: str) -> dict[str, tuple[str, str]]:
    """Type and physical id of a stack's resources, by logical id."""
    pages = cloud.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
    return {
        found["LogicalResourceId"]: (found["ResourceType"], found["PhysicalResourceId"])
        for page in pages
        for found in page["StackResourceSummaries"]
    }


class _Loader(yaml.CSafeLoader):
    """Reads past CloudFormation's functions."""


_Loader.add_multi_constructor("!", lambda *_: None)


def retained(cloud: LocalCloud, stack: str) -> dict[str, str]:
    body: Any = cloud.client("cloudformation").get_template(StackName=stack)["TemplateBody"]
    template = yaml.load(body, Loader=_Loader) if isinstance(body, str) else body  # noqa: S506 - a SafeLoader
    return {
        physical: kind
        for logical, (kind, physical) in resources(cloud, stack).items()
        if template["Resources"][logical].get("DeletionPolicy") == "RetainExceptOnCreate"
    }


def described(cloud: LocalCloud, stack: str, found: dict[str, dict[str, tuple[str, str]]]) -> Json:
    """What protects and defines a stack's resources, by logical id, with logical ids for physical ones."""
    describe, of_cdk = describers(cloud), stack.removeprefix("Console")
    known = {name: each for name, each in found[of_cdk].items() if OWN_NETWORK.match(name)} | found[stack]
    names = {physical: logical for logical, (_, physical) in known.items()}
    names |= {physical.rpartition("/")[2]: logical for physical, logical in names.items() if "/" in physical}
    long = sorted((name for name in names if len(name) > SHORTEST), key=len, reverse=True)
    names = {name: names[name] for name in long} | {f"Console{of_cdk}": of_cdk}
    return {
        logical: comparable(describe[kind](physical), names)
        for logical, (kind, physical) in found[stack].items()
        if kind in describe
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
                json.dumps(
                    without_repetitions(iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]),
                    sort_keys=True,
                )
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


def groundwork(*arguments: str, answer: str = "") -> Any:
    return CliRunner().invoke(app, arguments, input=answer)


def fill(cloud: LocalCloud) -> None:
    """Objects for Training's buckets: two versions and a deletion where the bucket keeps them."""
    s3, outputs = cloud.client("s3"), cloud.outputs("Training")
    for name in ("DataBucketName", "ArtifactBucketName"):
        for body in (b"old", b"new"):
            s3.put_object(Bucket=outputs[name], Key="a", Body=body)
    s3.delete_object(Bucket=outputs["ArtifactBucketName"], Key="a")


def common(file: str, found: dict[str, Json]) -> tuple[Json, Json]:
    """What was found of a stack and of its console twin, without the network that the twin did not make."""
    ours, theirs = found[STACKS[file]], found[f"Console{STACKS[file]}"]
    given = asks_for(file, "vpc_id")
    return {name: value for name, value in ours.items() if not (given and OWN_NETWORK.match(name))}, theirs


@pytest.mark.parametrize("file", TEMPLATES)
def test_the_console_stack_has_the_same_resources(deployed: Deployed, file: str) -> None:
    ours, theirs = common(file, deployed.types)
    assert ours == theirs


@pytest.mark.parametrize("file", TEMPLATES)
def test_the_console_stack_is_protected_alike(deployed: Deployed, file: str) -> None:
    ours, theirs = common(file, deployed.described)
    assert ours, "nothing was compared"
    assert ours == theirs


@pytest.mark.parametrize("stack", ALL)
def test_what_a_template_retains_is_still_there(deployed: Deployed, removal: Removal, stack: str) -> None:
    left = set().union(*removal.left.values())
    assert deployed.kept[stack].keys() - left == set()


def test_nothing_else_is_left(deployed: Deployed, removal: Removal) -> None:
    kept = {name: kind for of_stack in deployed.kept.values() for name, kind in of_stack.items()}
    excused = set().union(*(COMES_WITH.get(kind, set()) for kind in kept.values()))
    others = {
        kind: names - kept.keys()
        for kind, names in removal.left.items()
        if names - kept.keys() and kind not in SNAPSHOTS
    }
    assert others.keys() <= excused, others
    networks = sum(kind == "AWS::EC2::VPC" for kind in kept.values())
    assert all(len(names) == networks for names in others.values()), others


def test_the_ledger_and_the_graph_leave_a_final_snapshot_each(removal: Removal) -> None:
    for kind in SNAPSHOTS:
        names = sorted(name.partition("-snapshot-")[0] for name in removal.left[kind])
        assert names == ["consoledataecosystem", "dataecosystem"]


# groundwork destroy


def test_removal_says_what_stays_and_what_it_costs_and_asks(deployed: Deployed, removal: Removal) -> None:
    said, code = removal.declined
    assert code == 1
    kept = deployed.kept["TerminationAlarm"]
    assert kept
    assert [name for name in kept if name not in said] == []
    assert "What stays bills 0.00 USD a month" in said
    assert "0.03 a GB-month" in said
    assert "Remove TerminationAlarm?" in said


def test_objects_go_with_both_keys_alone(deployed: Deployed, removal: Removal) -> None:
    """Training's buckets were full with one key, and gone with both: nothing of it is in `left`."""
    assert deployed.kept["Training"] == {}
    assert "the settings here do not agree" in removal.one_key
    assert "-c allow_data_deletion=true -c training.delete_data=true" in removal.one_key
    assert re.search(
        r"Deleted for good: all objects in training-artifactbucket\S*, with all their versions: 3", removal.both_keys
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["Training"], "Stack Training: It is not deployed"),
        (["Nowhere"], "There is no stack Nowhere"),
        (["Training", "-c", "training.nope=1"], 'There is no setting "training.nope"'),
        (["Training", "-c", "nope"], "--context nope: This is not a setting. Write it as key=value"),
    ],
)
def test_what_cannot_be_removed_is_said_with_exit_code_2(
    removal: Removal,
    arguments: list[str],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert removal
    monkeypatch.setattr("sys.argv", ["groundwork", "destroy", *arguments])
    assert main() == 2
    error = capsys.readouterr().err
    assert says in error
    assert "Traceback" not in error
