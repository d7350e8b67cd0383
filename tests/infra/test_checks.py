"""The checks find what is planted, and say it; that they find nothing in our stacks is what `make check` shows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, CfnResource, Stack, aws_iam, aws_s3

from infra.check import __main__ as check
from infra.check import compliance, synthesis, tools
from infra.check.checkov import checkov
from infra.check.findings import Finding, unexplained
from infra.check.lint import lint
from infra.check.policies import example, judge, overlap
from infra.check.privileges import ROLES
from infra.check.synthesis import CONTEXT, synthesise
from infra.console import templates as console
from infra.console.templates import TEMPLATES
from infra.cost import page
from infra.guardrails import acknowledge


def planted(folder: Path) -> tuple[App, Stack]:
    """A stack that every tool should object to: an open bucket, and a role that may do everything to S3."""
    app = App(outdir=str(folder), context=CONTEXT)
    bad = Stack(app, "Bad")
    aws_s3.Bucket(bad, "Open")
    role = aws_iam.Role(bad, "Role", assumed_by=aws_iam.ServicePrincipal("ec2.amazonaws.com"))
    role.add_to_policy(aws_iam.PolicyStatement(actions=["s3:*"], resources=["*"]))
    role.add_to_policy(aws_iam.PolicyStatement(actions=["s3:GetObject"], resources=["arn:aws:s3:::bucket"]))
    CfnResource(bad, "Queue", type="AWS::SQS::Queue", properties={"VisibilityTimeout": 43201})
    return app, bad


def test_a_finding_of_any_tool_is_printed_and_fails_the_check(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the tools, and of ours: a stale template, a needless explanation of a role."""
    file = "termination-alarm.yaml"
    looked_at: dict[str, set[str]] = {}

    def finding(tool: str) -> Finding:
        return Finding("TerminationAlarm.template.json", "Topic", tool, "planted")

    def of_templates(tool: str) -> Callable[[list[Path]], list[Any]]:
        def tool_says(templates: list[Path]) -> list[Any]:
            looked_at[tool] = {path.name for path in templates}
            return [str(finding(tool)) if tool == "cfn-lint" else finding(tool)]

        return tool_says

    monkeypatch.setattr(check, "TEMPLATES", {file: TEMPLATES[file]})
    monkeypatch.setattr(check, "synthesise", lambda app: app.synth() and ["cdk-nag: planted"])
    monkeypatch.setattr(check, "lint", of_templates("cfn-lint"))
    monkeypatch.setattr(check, "checkov", of_templates("checkov"))
    monkeypatch.setattr(check, "judge", lambda documents: [finding("IAM") for _ in documents])
    monkeypatch.setattr(console, "render", lambda *_: "changed")
    monkeypatch.setitem(ROLES["TerminationAlarm"], "TerminationLoggerRole", {"also": {"sqs:SendMessage": "because"}})
    monkeypatch.setattr(page, "with_costs", lambda *_: "changed")
    monkeypatch.setattr(check, "acknowledged_findings", lambda _: [])
    monkeypatch.setattr(compliance, "acknowledged_findings", lambda _: [])
    monkeypatch.setattr(compliance, "foundational", lambda *_: [])
    monkeypatch.setattr(compliance, "pages", lambda _: {compliance.FOLDER / "termination-alarm.md": "changed"})
    assert check.main() == 1
    said = capsys.readouterr().out
    for line in (
        "cdk-nag: planted",
        *(f"TerminationAlarm.template.json: Topic: {tool}: planted" for tool in ("cfn-lint", "checkov", "IAM")),
        f"cloudformation/{file} is not what the code writes",
        "docs/costs.md is not what the code writes",
        "docs/compliance/termination-alarm.md is not what the code writes",
        "AutoScalingGroup acknowledges AS3 for nothing",
        "privileges.yaml explains sqs:SendMessage for nothing",
    ):
        assert line in said
    assert looked_at["cfn-lint"] == looked_at["checkov"] == {"TerminationAlarm.template.json", file}


def test_every_tool_finds_its_planted_fault(tmp_path: Path) -> None:
    app, bad = planted(tmp_path)
    by_nag = synthesise(app)
    assert any(finding.startswith("Bad/Open/Resource: AwsSolutions-S10:") for finding in by_nag)
    assert any("AwsSolutions-IAM5[Action::s3:*]" in finding for finding in by_nag)
    assert any(finding.startswith("Bad/Queue: ") and "43200" in finding for finding in by_nag)

    template = tmp_path / "Bad.template.json"
    by_checkov = checkov([template])
    assert {finding.rule for finding in by_checkov if not finding.is_passed} > {"CKV_AWS_18", "CKV_AWS_53"}
    assert any(finding.is_passed for finding in by_checkov)
    found = judge({"Bad": json.loads(template.read_text())})
    assert {finding.rule for finding in found} == {"IAM_RESOURCE_MISMATCH", "IAM_RESOURCE_STAR"}
    assert all(finding.resource.startswith("RoleDefaultPolicy") for finding in found)
    assert unexplained(found, {"Bad": bad}) == found


def test_an_acknowledged_finding_stays_silent_on_its_construct_alone() -> None:
    stack = Stack(App(), "Stack")
    known, other = CfnResource(stack, "Known", type="AWS::X::Y"), CfnResource(stack, "Other", type="AWS::X::Y")
    acknowledge(known, {"CKV_AWS_18": "because"})
    findings = [Finding("t", str(stack.resolve(resource.logical_id)), "CKV_AWS_18", "") for resource in (known, other)]
    another_rule = Finding("t", findings[0].resource, "CKV_AWS_21", "")
    assert unexplained([*findings, another_rule], {"t": stack}) == [findings[1], another_rule]


def test_a_nag_report_without_the_rules_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "validation-report.json").write_text('{"pluginReports": []}')
    app = App(outdir=str(tmp_path))
    monkeypatch.setattr(synthesis, "AwsSolutionsChecks", lambda _: None)
    monkeypatch.setattr(synthesis.Validations, "of", lambda _: type("None", (), {"add_plugins": lambda *_: None}))
    with pytest.raises(RuntimeError, match="no AwsSolutions entry"):
        synthesise(app)


def test_a_missing_tool_is_an_error_that_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "PROGRAMS", Path("nowhere"))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RuntimeError, match="checkov is not installed: `make check`"):
        checkov([])


def test_a_tool_that_checked_nothing_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("Resources: {}\n")
    with pytest.raises(RuntimeError, match="checkov"):
        checkov([tmp_path / "empty.yaml"])
    with pytest.raises(RuntimeError, match="no IAM policy"):
        judge({"empty": {"Resources": {}}})


ROLE_ARN = "arn:aws:iam::123456789012:role/name"


@pytest.mark.parametrize(
    ("statement", "rules"),
    [
        ({"Action": "s3:GetObjekt", "Resource": "*"}, ["IAM_UNKNOWN_ACTION"]),
        ({"Action": "nowhere:Get", "Resource": "*"}, ["IAM_UNKNOWN_ACTION"]),
        ({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket"}, ["IAM_RESOURCE_MISMATCH"]),
        ({"Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::bucket", "arn:aws:s3:::bucket/*"]}, []),
        ({"Action": "s3:List*", "Resource": "arn:aws:s3:::bucket"}, []),
        ({"Action": "sqs:SendMessage", "Resource": "arn:aws:sns:us-east-1:123456789012:t"}, ["IAM_RESOURCE_MISMATCH"]),
        ({"Action": "ec2:DescribeInstances", "Resource": "*"}, []),
        ({"Action": "ec2:DescribeInstances", "Resource": ROLE_ARN}, ["IAM_RESOURCE_MISMATCH"]),
        ({"Action": "ec2:TerminateInstances", "Resource": "*"}, ["IAM_RESOURCE_STAR"]),
        (
            {
                "Action": "ec2:TerminateInstances",
                "Resource": "*",
                "Condition": {"StringEquals": {"ec2:ResourceTag/a": "b"}},
            },
            [],
        ),
        (
            {
                "Action": "cloudwatch:PutMetricData",
                "Resource": "*",
                "Condition": {"StringEquals": {"cloudwatch:namespace": "n"}},
            },
            [],
        ),
        (
            {"Action": "iam:PassRole", "Resource": ROLE_ARN, "Condition": {"StringEquals": {"s3:prefix": "x"}}},
            ["IAM_UNKNOWN_CONDITION"],
        ),
        ({"Action": "iam:PassRole", "Resource": ROLE_ARN, "Condition": {"Bool": {"aws:SecureTransport": "true"}}}, []),
        (
            {"Action": "iam:PassRole", "Resource": ROLE_ARN, "Condition": {"Bool": {"aws:SecureTransprt": "true"}}},
            ["IAM_UNKNOWN_CONDITION"],
        ),
        ({"Effect": "Deny", "NotAction": "s3:*", "Resource": "*"}, []),
    ],
)
def test_policies_are_judged_by_the_service_authorization_reference(
    statement: dict[str, Any], rules: list[str]
) -> None:
    document = {"Statement": {"Effect": "Allow", **statement}}
    role = {"Type": "AWS::IAM::Role", "Properties": {"Policies": [{"PolicyDocument": document}]}}
    assert [finding.rule for finding in judge({"t": {"Resources": {"Role": role}}})] == rules


@pytest.mark.parametrize(
    ("pattern", "other", "overlaps"),
    [
        ("a*", "*b", True),
        ("a", "a", True),
        ("a?c", "abc", True),
        ("a*c", "ab", False),
        ("*", "", True),
        ("log-group:*:log-stream:*", "log-group:name:*", True),
        ("log-group:*:log-stream:*", "log-group:name", False),
    ],
)
def test_two_patterns_overlap_when_some_text_matches_both(pattern: str, other: str, *, overlaps: bool) -> None:
    assert overlap(pattern, other) == overlap(other, pattern) == overlaps


def test_a_long_path_is_not_taken_for_a_secret(tmp_path: Path) -> None:
    """Checkov adds a parameter's path to what a function's environment says; 40 letters and slashes look like a key."""
    folder = tmp_path / f"a-{'b' * (40 - len('/termination'))}"
    folder.mkdir()
    template = folder / "termination-alarm.yaml"
    template.write_bytes((console.FOLDER / "termination-alarm.yaml").read_bytes())
    assert "CKV_AWS_45" not in {finding.rule for finding in checkov([template]) if not finding.is_passed}


def test_intrinsic_functions_become_examples_of_what_they_give() -> None:
    template = {
        "Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}, "Topic": {"Type": "AWS::SNS::Topic"}},
        "Parameters": {"Prefix": {"Type": "String", "Default": "films"}},
    }
    of_bucket = {"Fn::Join": ["", [{"Fn::GetAtt": ["Bucket", "Arn"]}, "/", {"Ref": "Prefix"}, "/*"]]}
    assert example([of_bucket], template) == ["arn:aws:s3:::name/films/*"]
    assert example({"Ref": "Topic"}, template) == "arn:aws:sns:us-east-1:123456789012:name"
    assert example({"Fn::Sub": "arn:${AWS::Partition}:s3:::${Bucket}"}, template) == "arn:aws:s3:::name"
    assert example({"Fn::If": ["Has", {"Ref": "Prefix"}, "*"]}, template) == "films"
    assert example({"Fn::Select": [1, {"Fn::Split": ["s3://", "s3://bucket/key"]}]}, template) == "bucket/key"


def test_cfn_lint_finds_a_planted_fault(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("Resources:\n  Bucket:\n    Type: AWS::S3::Bucket\n    Properties:\n      Colour: red\n")
    [finding] = lint([bad])
    assert "E3002" in finding
    assert "Colour" in finding


def test_a_template_that_cannot_be_read_is_a_finding(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("Resources: [")
    assert [finding.split(": ")[1] for finding in lint([broken, tmp_path / "absent.yaml"])] == ["E0000", "E0000"]
