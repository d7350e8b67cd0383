"""The rules of AWS Foundational Security Best Practices find planted faults, and the pages of the docs are current."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, CfnResource, Stack

from infra.check import compliance
from infra.check.compliance import FOLDER, STANDARD, Judged, Reasons, faults, foundational, stale
from infra.check.findings import Finding
from infra.check.foundational import CONTROLS, Control
from infra.check.rules import of_cdk_nag, of_checkov
from infra.check.synthesis import Acknowledged
from infra.guardrails import acknowledge
from tests.infra.conftest import Synthesised

Json = dict[str, Any]
EVERYTHING = {"Effect": "Allow", "Action": ["*", "s3:*"], "Resource": "*"}
FOR_EVERYBODY = {"Effect": "Allow", "Action": "sns:Publish", "Principal": "*", "Resource": "*"}
OPEN = {"SecurityGroupIngress": [{"CidrIp": "0.0.0.0/0"}]}
#: Resources that do nothing of what the controls ask for, by type.
BAD: dict[str, list[Json]] = {
    "AWS::AutoScaling::AutoScalingGroup": [{"TargetGroupARNs": ["arn"], "LaunchConfigurationName": "old"}],
    "AWS::DynamoDB::Table": [{"BillingMode": "PROVISIONED"}],
    "AWS::EC2::VPC": [{}],
    "AWS::EC2::Instance": [
        {
            "NetworkInterfaces": [{"AssociatePublicIpAddress": True}, {}],
            "BlockDeviceMappings": [{"Ebs": {"VolumeSize": 8}}],
        }
    ],
    "AWS::EC2::LaunchTemplate": [{"LaunchTemplateData": {"NetworkInterfaces": [{"AssociatePublicIpAddress": True}]}}],
    "AWS::EC2::Subnet": [{"MapPublicIpOnLaunch": True}],
    "AWS::EC2::SecurityGroup": [OPEN],
    "AWS::ElasticLoadBalancingV2::LoadBalancer": [{}],
    "AWS::IAM::Policy": [{"Users": ["somebody"], "PolicyDocument": {"Statement": [EVERYTHING]}}],
    "AWS::IAM::ManagedPolicy": [{"PolicyDocument": {"Statement": [EVERYTHING]}}],
    "AWS::KMS::Key": [{"KeyPolicy": {"Statement": [FOR_EVERYBODY]}}],
    "AWS::Lambda::Function": [{"Runtime": "python2.7", "VpcConfig": {"SubnetIds": ["one"]}}, {}],
    "AWS::Lambda::Permission": [{}],
    "AWS::Neptune::DBCluster": [{}],
    "AWS::OpenSearchService::Domain": [{}],
    "AWS::RDS::DBInstance": [
        {"PubliclyAccessible": True, "MasterUsername": "postgres", "Port": 5432, "Engine": "postgres"},
        {"Engine": "mysql"},
    ],
    "AWS::S3::Bucket": [{"AccessControl": "PublicRead"}],
    "AWS::S3::BucketPolicy": [
        {
            "Bucket": "bucket",
            "PolicyDocument": {"Statement": [{"Effect": "Allow", "Action": "s3:*", "Principal": {"AWS": "another"}}]},
        }
    ],
    "AWS::SecretsManager::Secret": [{}],
    "AWS::SNS::Topic": [{}],
    "AWS::SNS::TopicPolicy": [{"PolicyDocument": {"Statement": [FOR_EVERYBODY]}}],
    "AWS::SQS::Queue": [{"SqsManagedSseEnabled": False}],
    "AWS::SQS::QueuePolicy": [{"PolicyDocument": {"Statement": [FOR_EVERYBODY]}}],
}


@pytest.fixture(scope="module")
def planted() -> list[Finding]:
    resources = {
        f"{kind.replace(':', '')}{number}": {"Type": kind, "Properties": properties}
        for kind, variants in BAD.items()
        for number, properties in enumerate(variants)
    }
    return foundational("Bad.template.json", {"Resources": resources})


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.name)
def test_each_control_finds_its_planted_fault(control: Control, planted: list[Finding]) -> None:
    assert any(finding.rule == control.name and not finding.is_passed for finding in planted)


def test_every_control_passes_somewhere_or_is_explained(synthesised: Synthesised) -> None:
    assert not [*faults(judged(synthesised))]


def test_an_instance_with_an_elastic_address_is_public() -> None:
    resources = {
        "Server": {"Type": "AWS::EC2::Instance", "Properties": {}},
        "Address": {"Type": "AWS::EC2::EIPAssociation", "Properties": {"InstanceId": {"Ref": "Server"}}},
    }
    [finding] = [found for found in foundational("t", {"Resources": resources}) if found.rule == "EC2.9"]
    assert not finding.is_passed


def judged(synthesised: Synthesised) -> list[Judged]:
    """The stacks, and what the standard says of them."""
    return [
        Judged(stack, synthesised.templates[name], tuple(foundational(name, synthesised.templates[name])), ())
        for name, stack in synthesised.stacks.items()
    ]


def test_pages_say_what_the_standard_says_of_the_templates(
    synthesised: Synthesised, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cdk-nag and checkov say is compared by `make check`, which runs them."""
    monkeypatch.setattr(compliance, "of_cdk_nag", list)
    monkeypatch.setattr(compliance, "of_checkov", list)
    heading = "## AWS Foundational"
    for path, text in compliance.pages(judged(synthesised)).items():
        written = path.read_text("utf-8")
        assert written.partition(heading)[2] == text.partition(heading)[2], path
        assert "**Failed**" not in written
    assert len([*FOLDER.glob("*.md")]) == len(synthesised.stacks)


def test_a_fault_that_nobody_explains_and_an_explanation_for_nothing_are_named(
    synthesised: Synthesised, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stacks = judged(synthesised)
    explained = tmp_path / "explained.yaml"
    explained.write_text("SQS.1: {'*/Nothing': because}")
    monkeypatch.setattr(compliance, "EXPLAINED", explained)
    found = [*faults(stacks)]
    assert "foundational.yaml explains SQS.1 of */Nothing for nothing: remove it" in found
    assert any(line.startswith("DataEcosystem.template.json: GraphCluster: Neptune.9:") for line in found)


def test_an_acknowledgement_without_a_finding_is_named() -> None:
    stack = Stack(App(), "Stack")
    queue = CfnResource(stack, "Queue", type="AWS::X::Y")
    acknowledge(queue, {"CKV_AWS_27": "because", "CKV_AWS_1": "nothing", "SQS3": "because", "SQS4": "nothing"})
    finding = Finding("Stack.template.json", str(stack.resolve(queue.logical_id)), "CKV_AWS_27", "")
    by_cdk = [Acknowledged("SQS3", "Stack/Queue", "Stack/Queue", "because")]
    named = [*stale({"Stack.template.json": stack}, [finding], by_cdk)]
    assert [line.split()[2] for line in named] == ["CKV_AWS_1", "SQS4"]


def test_a_reason_for_the_same_question_of_another_tool_counts(synthesised: Synthesised) -> None:
    reason_for = Reasons(synthesised.stacks["TerminationAlarm"])
    assert "two weeks" in reason_for(Finding("t", "Terminations", "DynamoDB.2", ""))
    assert not reason_for(Finding("t", "Terminations", "DynamoDB.1", ""))


def test_rules_of_the_tools_are_known_with_the_types_that_they_look_at() -> None:
    by_nag = {rule.name: rule.types for rule in of_cdk_nag()}
    assert by_nag["S1"] == {"AWS::S3::Bucket"}
    by_checkov = {rule.name: rule.types for rule in of_checkov()}
    assert by_checkov["CKV_AWS_18"] == {"AWS::S3::Bucket"}
    assert len({rule.name for rule in STANDARD}) == len(CONTROLS)
