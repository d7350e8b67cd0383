"""What holds for every template, of the CDK and of the console."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, get_type_hints

import pytest

from contract.stacks import StackName
from groundwork.demo.show import PARTS, SETTINGS
from infra import PROJECT
from infra.budget import Budget
from infra.config import Config
from infra.console.templates import TEMPLATES
from infra.stacks import STACKS
from tests import networks

from .conftest import Json, as_list, of_type, references, statements

STATEFUL = {
    "AWS::DynamoDB::Table",
    "AWS::KMS::Key",
    "AWS::Logs::LogGroup",
    "AWS::Neptune::DBCluster",
    "AWS::OpenSearchService::Domain",
    "AWS::RDS::DBInstance",
    "AWS::S3::Bucket",
    "AWS::SQS::Queue",
    "AWS::SecretsManager::Secret",
    "AWS::Timestream::Database",
    "AWS::Timestream::InfluxDBInstance",
    "AWS::Timestream::Table",
}
#: Stateful resources that go with their stack in any case, and why nothing is lost.
TRANSIENT = {
    "TopicKey": "encrypts messages on their way",
    "Terminations": "its records expire after two weeks",
    "SearchDomain": "one command rebuilds it from the film library",
    "TrendsAccess": "password of what goes with it",
    "TrendsTokenSecret": "token of what goes with it",
    "TrendsInfluxDB": "one command rebuilds it from the rentals",
}
#: Stateful resources whose data stay as a final snapshot, so that the network around them can go.
SNAPSHOTS = {"LedgerInstance", "GraphCluster"}
#: Endpoints that bill by the hour, and why.
INTERFACES = {"NetworkSecrets": "a function without a way out reads InfluxDB's token"}
#: Actions with a wildcard, and why.
WILD_ACTIONS = {
    "kms:*": "the account administers the key, or nobody could",
    "kms:GenerateDataKey*": "what SNS may call on behalf of CloudWatch",
}
#: Actions on every resource, and why.
WILD_RESOURCES = {
    "autoscaling:DescribeAutoScalingGroups": "knows no resource",
    "autoscaling:DescribeAutoScalingInstances": "knows no resource",
    "autoscaling:DescribeScalingActivities": "knows no resource",
    "batch:DescribeJobs": "knows no resource",
    "dynamodb:ListStreams": "knows no resource",
    "ec2:CreateNetworkInterface": "Lambda's, to enter a network; denied to the function's code",
    "ec2:DeleteNetworkInterface": "Lambda's, to leave a network; denied to the function's code",
    "ec2:DescribeInstances": "knows no resource",
    "ec2:DescribeNetworkInterfaces": "knows no resource",
    "ec2:DescribeSubnets": "knows no resource",
    "ecr:GetAuthorizationToken": "knows no resource",
    "cloudwatch:PutMetricData": "confined by its namespace",
    "timestream:DescribeBatchLoadTask": "knows no resource",
    "timestream:DescribeEndpoints": "knows no resource",
    "timestream:ResumeBatchLoadTask": "knows no resource",
    "kms:*": "in the key's own policy: this key",
    "kms:Decrypt": "in the key's own policy: this key",
    "kms:GenerateDataKey*": "in the key's own policy: this key",
}
#: Services whose documented policy names no account, and why that does no harm.
WITHOUT_ACCOUNT = {"timestream-influxdb.amazonaws.com": "adds logs below one prefix, reads nothing"}
#: The conditions that a service's requests to KMS fulfil, by its documentation; any other would lock the service out.
#: https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#compatibility-with-aws-services has both: the two
#: keys restrict a service that publishes to an encrypted topic, but "are not supported for EventBridge".
KEY_CONDITIONS = {
    "cloudwatch.amazonaws.com": {"aws:SourceAccount", "aws:SourceArn"},
    "events.amazonaws.com": set[str](),
}
#: Properties that fix a physical name, by which a resource could not be replaced.
NAMES = re.compile(
    r"^(BucketName|QueueName|TopicName|TableName|FunctionName|RoleName|LogGroupName|AlarmName|DashboardName"
    r"|ComputeEnvironmentName|JobQueueName|JobDefinitionName|AutoScalingGroupName|LaunchTemplateName|GroupName"
    r"|InstanceProfileName|Name)$"
)
DELIVERY = ("AWS/Events", "FailedInvocations")
OWNERS = {"AWS::Lambda::Permission", "AWS::Logs::MetricFilter", "AWS::EC2::FlowLog"}  # they name what they belong to
#: Stacks that visitors reach, and that serve them day and night; what that means is tested with them.
VISITED = {"WebApp", "web-app.yaml"}
ALL = [*(stack.__name__ for stack in TEMPLATES.values()), *TEMPLATES]


@pytest.fixture(params=[name for name in ALL if name not in VISITED])
def unvisited(request: pytest.FixtureRequest, all_templates: dict[str, Json]) -> Json:
    return all_templates[request.param]


@pytest.fixture(params=ALL)
def template(request: pytest.FixtureRequest, all_templates: dict[str, Json]) -> Json:
    return all_templates[request.param]


def test_the_readme_says_how_many_resources_the_demonstration_deploys(synthesise: Callable[..., Json]) -> None:
    resources = 0
    for file, stack in TEMPLATES.items():
        settings = {name: value for name, value in SETTINGS.items() if name.startswith(f"{stack.SECTION}.")}
        resources += len(synthesise(file, settings)["Resources"])
    said = re.findall(r"(\d+) resources", (PROJECT / "README.md").read_text())
    assert said == [str(resources)]


def test_stateful_resources_say_what_becomes_of_them_and_stay_by_default(template: Json) -> None:
    for name, body in template["Resources"].items():
        if body["Type"] in STATEFUL:
            policies = ("Delete", "Delete") if name in TRANSIENT else ("RetainExceptOnCreate", "Retain")
            policies = ("Snapshot", "Snapshot") if name in SNAPSHOTS else policies
            assert (name, body.get("DeletionPolicy"), body.get("UpdateReplacePolicy")) == (name, *policies)


def test_every_log_is_kept_for_a_limited_time(template: Json) -> None:
    for name, body in of_type(template, "AWS::Logs::LogGroup"):
        assert body["Properties"].get("RetentionInDays"), name


def test_every_function_writes_to_a_log_group_of_its_stack(template: Json) -> None:
    for name, body in of_type(template, "AWS::Lambda::Function"):
        assert body["Properties"]["LoggingConfig"]["LogGroup"]["Ref"] in template["Resources"], name


def test_no_action_is_allowed_by_wildcard_without_a_reason(template: Json) -> None:
    for name, statement in statements(template):
        if statement["Effect"] == "Allow":
            wild = {action for action in as_list(statement["Action"]) if "*" in action}
            assert wild <= WILD_ACTIONS.keys(), name


def test_no_action_is_allowed_on_everything_without_a_reason(template: Json) -> None:
    for name, statement in statements(template):
        if statement["Effect"] == "Allow" and "*" in as_list(statement.get("Resource", [])):
            assert set(as_list(statement["Action"])) <= WILD_RESOURCES.keys(), name


OF_STACK = [
    {"Fn::Join": ["", ["Groundwork/", {"Ref": "AWS::StackName"}]]},
    {"Fn::Sub": "Groundwork/${AWS::StackName}"},
]


def test_metrics_are_written_to_one_namespace_only(template: Json) -> None:
    for _, statement in statements(template):
        if "cloudwatch:PutMetricData" in as_list(statement["Action"]):
            namespace = statement["Condition"]["StringEquals"]["cloudwatch:namespace"]
            assert namespace in OF_STACK or re.fullmatch("Groundwork/[A-Za-z]+", namespace)


def test_nothing_is_allowed_to_everyone(template: Json) -> None:
    for name, statement in statements(template):
        if statement["Effect"] == "Allow":
            assert statement.get("Principal") not in ("*", {"AWS": "*"}), name


def test_services_act_for_this_account_or_one_resource_only(template: Json) -> None:
    for name, statement in statements(template):
        if template["Resources"][name]["Type"] == "AWS::KMS::Key":
            continue  # the next test
        service = (statement.get("Principal") or {}) if statement["Effect"] == "Allow" else {}
        if service.get("Service") in WITHOUT_ACCOUNT:
            assert statement["Action"] == "s3:PutObject"
        elif "Service" in service and statement["Action"] != "sts:AssumeRole":
            assert re.search("aws:Source(Account|Arn)", json.dumps(statement.get("Condition", {}))), name


def test_a_key_asks_of_a_service_only_what_that_service_tells_kms(template: Json) -> None:
    for name, body in of_type(template, "AWS::KMS::Key"):
        for statement in body["Properties"]["KeyPolicy"]["Statement"]:
            for service in as_list(statement["Principal"].get("Service", [])):
                asked = {key for conditions in statement.get("Condition", {}).values() for key in conditions}
                assert asked <= KEY_CONDITIONS[service], (name, service)
                assert bool(asked) == bool(KEY_CONDITIONS[service]), (name, service)


def test_an_alarm_tells_when_a_rule_cannot_deliver(template: Json) -> None:
    watched = [
        alarm["Properties"]["Dimensions"]
        for _, alarm in of_type(template, "AWS::CloudWatch::Alarm")
        if (alarm["Properties"].get("Namespace"), alarm["Properties"]["MetricName"]) == DELIVERY
    ]
    rules = [name for name, rule in of_type(template, "AWS::Events::Rule") if rule["Properties"]["Targets"]]
    assert sorted(watched, key=str) == sorted(([{"Name": "RuleName", "Value": {"Ref": r}}] for r in rules), key=str)


def test_no_resource_has_a_fixed_name(template: Json) -> None:
    for name, body in template["Resources"].items():
        if body["Type"] not in OWNERS:
            named = [
                key for key, value in body.get("Properties", {}).items() if NAMES.match(key) and isinstance(value, str)
            ]
            assert not named, name


def test_nothing_comes_in_from_the_network(unvisited: Json) -> None:
    for name, body in of_type(unvisited, "AWS::EC2::SecurityGroup"):
        assert "SecurityGroupIngress" not in body["Properties"], name
    for name, body in of_type(unvisited, "AWS::EC2::SecurityGroupIngress"):
        rule = body["Properties"]
        assert not {"CidrIp", "CidrIpv6", "SourcePrefixListId"} & rule.keys(), name
        assert rule["SourceSecurityGroupId"]["Fn::GetAtt"][0] in unvisited["Resources"], name


def test_every_security_group_is_somebodys(template: Json) -> None:
    """Another group's rule is nobody who is in it."""
    rules = {"AWS::EC2::SecurityGroupIngress", "AWS::EC2::SecurityGroupEgress"}
    users = [body for body in template["Resources"].values() if body["Type"] not in rules]
    used = set(references([*users, template["Outputs"]], template["Resources"]))
    assert {name for name, _ in of_type(template, "AWS::EC2::SecurityGroup")} <= used


def test_instances_ask_for_tokens_have_encrypted_disks_and_no_ssh_key(template: Json) -> None:
    for _, body in of_type(template, "AWS::EC2::LaunchTemplate"):
        data = body["Properties"]["LaunchTemplateData"]
        assert data["MetadataOptions"]["HttpTokens"] == "required"
        assert [device["Ebs"]["Encrypted"] for device in data["BlockDeviceMappings"]] == [True]
        assert data.get("KeyName", {"Fn::If": ["HasSsh"]})["Fn::If"][0] == "HasSsh"


def test_alarms_act_describe_what_to_do_and_treat_missing_data(template: Json) -> None:
    for name, body in of_type(template, "AWS::CloudWatch::Alarm"):
        alarm = body["Properties"]
        assert alarm["AlarmActions"], name
        assert alarm["AlarmDescription"], name
        missing = "breaching" if alarm["ComparisonOperator"] == "LessThanThreshold" else "notBreaching"
        assert alarm["TreatMissingData"] == missing, name


def test_the_runbook_of_each_alarm_is_a_heading_of_its_page(template: Json) -> None:
    for name, body in of_type(template, "AWS::CloudWatch::Alarm"):
        description = json.dumps(body["Properties"]["AlarmDescription"])
        [(page, anchor)] = re.findall(r"Runbook: ([\w/.-]+)#([\w-]+)", description)
        headings = re.findall(r"^#+ (.+)$", (PROJECT / page).read_text("utf-8"), re.MULTILINE)
        assert anchor in {heading.lower().replace(" ", "-") for heading in headings}, name


def test_each_alarms_topic_and_each_dead_letter_queue_of_a_function_is_watched(template: Json) -> None:
    watched = [
        (body["Properties"].get("MetricName"), body["Properties"]["Dimensions"][0]["Value"])
        for _, body in of_type(template, "AWS::CloudWatch::Alarm")
        if body["Properties"].get("Dimensions")
    ]
    for name, _ in of_type(template, "AWS::SNS::Topic"):
        assert ("NumberOfNotificationsFailed", {"Fn::GetAtt": [name, "TopicName"]}) in watched, name
    # A stream or a queue keeps what its function could not handle; Lambda's own queue of events does not.
    by_source = [
        source["Properties"]["FunctionName"] for _, source in of_type(template, "AWS::Lambda::EventSourceMapping")
    ]
    for name, function in of_type(template, "AWS::Lambda::Function"):
        if "DeadLetterConfig" in function["Properties"] and {"Ref": name} not in by_source:
            assert ("DeadLetterErrors", {"Ref": name}) in watched, name


def test_alarms_name_settings_in_words(template: Json) -> None:
    sections = [getattr(Config(), stack.SECTION) for stack in TEMPLATES.values()]
    names = {name for section in sections for name in type(section).model_fields if "_" in name}
    for name, body in of_type(template, "AWS::CloudWatch::Alarm"):
        assert names & set(re.findall(r"\w+", json.dumps(body["Properties"]["AlarmDescription"]))) == set(), name


def test_nothing_bills_while_idle_but_what_was_asked_for(unvisited: Json) -> None:
    always_on = {
        "AWS::EC2::NatGateway",
        "AWS::EC2::EIP",
        "AWS::EC2::Instance",
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
    }
    assert not always_on & {body["Type"] for body in unvisited["Resources"].values()}
    for name, endpoint in of_type(unvisited, "AWS::EC2::VPCEndpoint"):
        assert endpoint["Properties"]["VpcEndpointType"] == "Gateway" or name in INTERFACES


def test_only_the_token_of_influxdb_needs_a_custom_resource(template: Json) -> None:
    kinds = {body["Type"] for body in template["Resources"].values()}
    custom = {kind for kind in kinds if kind.startswith("Custom::") or kind == "AWS::CloudFormation::CustomResource"}
    assert custom <= {"Custom::InfluxDBToken"}


def test_outputs_and_parameters_say_what_they_are(template: Json) -> None:
    described: dict[str, Any] = template["Outputs"] | template.get("Parameters", {})
    assert [name for name, body in described.items() if not body.get("Description")] == []
    texts = [body["Description"] for body in template["Outputs"].values()]
    assert sorted(set(texts)) == sorted(texts), "two outputs that say the same"


def test_logical_ids_are_readable(template: Json) -> None:
    assert [name for name in template["Resources"] if re.search(r"[0-9A-F]{8}$", name)] == []


def test_the_list_of_stacks_the_contract_and_the_demonstration_agree() -> None:
    names = [stack.__name__ for stack in STACKS]
    assert names == list(StackName)
    assert sorted(names) == sorted(PARTS)


def test_every_stack_has_the_section_of_the_settings_that_it_says() -> None:
    for stack in (*STACKS, Budget):
        section = Config.model_fields[stack.SECTION].default
        assert get_type_hints(stack)["settings"] is type(section), stack


@pytest.mark.parametrize("file", TEMPLATES)
def test_in_an_existing_vpc_no_stack_makes_one(file: str, synthesise: Callable[..., Json]) -> None:
    subnets = {
        "PublicSubnetIds": "subnet-0a1b2c3d,subnet-1a2b3c4d",
        "IsolatedSubnetIds": "subnet-2a1b2c3d,subnet-3a2b3c4d",
    }
    context = networks.settings(TEMPLATES[file].__name__, {"VpcId": "vpc-0a1b2c3d", **subnets})
    template = synthesise(file, context)
    for kind in ("VPC", "Subnet", "InternetGateway"):
        assert [*of_type(template, f"AWS::EC2::{kind}")] == [], kind
