"""The checks ran, found nothing in our stacks, and find what is planted."""

from pathlib import Path

import pytest
from aws_cdk import App, Stack, aws_iam, aws_s3

from infra import check
from infra.console import FOLDER, TEMPLATES

from .conftest import Synthesised


def test_cdk_nag_has_no_unexplained_finding(synthesised: Synthesised) -> None:
    assert synthesised.findings == []


def test_cfn_lint_has_no_finding(synthesised: Synthesised) -> None:
    assert check.lint(synthesised.folder.glob("*.template.json")) == []
    assert check.lint(FOLDER / file for file in TEMPLATES) == []


def test_cdk_nag_finds_a_planted_fault(tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path))
    bad = Stack(app, "Bad")
    aws_s3.Bucket(bad, "Open")
    role = aws_iam.Role(bad, "Role", assumed_by=aws_iam.ServicePrincipal("ec2.amazonaws.com"))
    role.add_to_policy(aws_iam.PolicyStatement(actions=["s3:*"], resources=["*"]))

    findings = check.nag(app)

    assert any(finding.startswith("Bad/Open/Resource: AwsSolutions-S10:") for finding in findings)
    assert any("AwsSolutions-IAM5[Action::s3:*]" in finding for finding in findings)


def test_a_report_without_the_rules_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "validation-report.json").write_text('{"pluginReports": []}')
    app = App(outdir=str(tmp_path))
    monkeypatch.setattr(check, "AwsSolutionsChecks", lambda _: None)
    monkeypatch.setattr(check.Validations, "of", lambda _: type("None", (), {"add_plugins": lambda *_: None}))
    with pytest.raises(RuntimeError, match="no AwsSolutions entry"):
        check.nag(app)


def test_cfn_lint_finds_a_planted_fault(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("Resources:\n  Bucket:\n    Type: AWS::S3::Bucket\n    Properties:\n      Colour: red\n")
    [finding] = check.lint([bad])
    assert "E3002" in finding
    assert "Colour" in finding


def test_a_template_that_cannot_be_read_is_a_finding(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("Resources: [")
    assert [finding.split(": ")[1] for finding in check.lint([broken, tmp_path / "absent.yaml"])] == ["E0000", "E0000"]
