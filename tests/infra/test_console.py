"""The console's templates: what the code writes, from the same stacks, without anything else."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from infra.config import Config
from infra.console import templates as console
from infra.console.settings_table import with_tables
from infra.console.templates import DIRECT_UPLOAD, FOLDER, TEMPLATES, render, stack_of
from infra.constructs import inline
from infra.constructs.inline import source

from .conftest import Json, Synthesised, as_list, joined, of_type, read_yaml

UPLOAD = 1_000_000  # bytes that CreateStack takes from S3


@pytest.fixture(scope="module", params=TEMPLATES)
def file(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def template(file: str) -> Json:
    return read_yaml((FOLDER / file).read_text())


def test_the_committed_template_is_what_the_code_writes(file: str) -> None:
    assert (FOLDER / file).read_text() == render(file, stack_of(file)), "run `make templates`"


def test_the_check_names_what_is_stale(
    file: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(console, "stack_of", lambda _: None)
    monkeypatch.setattr(console, "render", lambda *_: "changed")
    monkeypatch.setattr(console, "template_of", lambda _: {})
    monkeypatch.setattr(console.other_tools, "texts", lambda _: {})
    monkeypatch.setattr("sys.argv", ["console", "--check"])
    assert console.main() == 1
    assert f"cloudformation/{file} is not what the code writes" in capsys.readouterr().out


def test_the_documentations_tables_list_the_settings_as_they_are(file: str) -> None:
    page = (console.PAGES / file).with_suffix(".md").read_text()
    assert page == with_tables(page), "run `make templates`"
    section = TEMPLATES[file].SECTION
    assert [name for name in type(getattr(Config(), section)).model_fields if f"`{section}.{name}`" not in page] == []


def test_it_uploads_directly_or_says_that_it_needs_a_bucket(file: str) -> None:
    text = (FOLDER / file).read_text()
    assert len(text.encode()) < (UPLOAD if "--s3-bucket" in text[:1000] else DIRECT_UPLOAD)


def test_it_needs_nothing_but_itself(file: str, template: Json) -> None:
    text = (FOLDER / file).read_text()
    assert "cdk" not in text.split("\n\n", 1)[1]
    assert "BootstrapVersion" not in template["Parameters"]
    assert "CheckBootstrapVersion" not in template.get("Rules", {})


def test_it_has_the_resources_of_the_cdks_stack_but_for_the_network(
    file: str, template: Json, synthesised: Synthesised
) -> None:
    ours = synthesised.templates[TEMPLATES[file].__name__]
    optional = {"EmailSubscription", "Ssh", "JobsReadSource", "JobsToSource", "SearchLinkedRole"}
    expected = {
        name: body["Type"] for name, body in ours["Resources"].items() if not re.match("Network(Vpc|Flow)", name)
    }
    found = {
        name: body["Type"]
        for name, body in template["Resources"].items()
        if name not in optional
        and not re.match("Network(Vpc|Flow)", name)
        and not body.get("Condition", "").startswith("IsNot")  # what another choice adds
    }
    assert found == expected
    chosen = [n for n, body in template["Outputs"].items() if not body.get("Condition", "").startswith("IsNotSingle")]
    assert chosen == list(ours["Outputs"])


def plain(statement: Json) -> Json:
    """The conditions of a statement, with texts that are joined from others in one form."""
    conditions: Json = statement.get("Condition", {})
    return {kind: {key: joined(value) for key, value in keys.items()} for kind, keys in conditions.items()}


def test_policies_are_those_of_the_cdks_stack(file: str, template: Json, synthesised: Synthesised) -> None:
    ours = synthesised.templates[TEMPLATES[file].__name__]
    policies = [
        (name, body)
        for kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy")
        for name, body in of_type(ours, kind)
        if name in template["Resources"]
    ]
    assert policies or not any(of_type(ours, "AWS::IAM::Role"))
    for name, body in policies:
        for mine, theirs in zip(
            body["Properties"]["PolicyDocument"]["Statement"],
            template["Resources"][name]["Properties"]["PolicyDocument"]["Statement"],
            strict=True,
        ):
            assert (mine["Action"], plain(mine)) == (theirs["Action"], plain(theirs))


def test_every_parameter_is_asked_for_under_a_heading_with_a_label(template: Json) -> None:
    interface = template["Metadata"]["AWS::CloudFormation::Interface"]
    grouped = [name for group in interface["ParameterGroups"] for name in group["Parameters"]]
    assert sorted(grouped) == sorted(template["Parameters"])
    assert interface["ParameterLabels"].keys() == template["Parameters"].keys()


def test_every_parameter_is_used(file: str, template: Json) -> None:
    text = re.split(r"\n(?:Conditions|Resources):\n", (FOLDER / file).read_text(), maxsplit=1)[1]
    assert [name for name in template["Parameters"] if not re.search(rf"(!Ref {name}\b|\$\{{{name}\}})", text)] == []


def test_parameters_have_the_consoles_types(template: Json) -> None:
    parameters = template["Parameters"]
    kinds = {"VpcId": "AWS::EC2::VPC::Id", "SubnetIds": "List<AWS::EC2::Subnet::Id>"}
    for name in kinds.keys() & parameters.keys():
        assert parameters[name]["Type"] == kinds[name]
        assert "Default" not in parameters[name]
    for name, parameter in parameters.items():
        if "AllowedPattern" in parameter:
            assert parameter["ConstraintDescription"].startswith("Must be "), name
            if "Default" in parameter:
                assert re.search(parameter["AllowedPattern"], parameter["Default"]), name


def test_dashboards_are_documents_that_a_person_can_read(template: Json) -> None:
    for name, body in of_type(template, "AWS::CloudWatch::Dashboard"):
        [text, *_] = as_list(body["Properties"]["DashboardBody"]["Fn::Sub"])
        widgets = json.loads(re.sub(r"(?<=: )\$\{\w+\}", "1", text))["widgets"]  # a parameter that is a number
        assert widgets, name
        assert len(text.splitlines()) > len(widgets), name


def test_tags_have_the_name_that_the_stack_is_given(file: str) -> None:
    assert f"Value: {TEMPLATES[file].__name__}" not in (FOLDER / file).read_text()


def test_function_code_is_the_files_own_text() -> None:
    """But for what it imports of the contract."""
    template = read_yaml((FOLDER / "termination-alarm.yaml").read_text())
    for name, folder in (("TerminationLogger", "termination_logger"), ("TerminationReport", "termination_report")):
        lines = (FOLDER.parent / "lambda" / folder / "index.py").read_text().splitlines()
        code = template["Resources"][name]["Properties"]["Code"]["ZipFile"].splitlines()
        assert [line for line in lines if line not in code and not line.startswith("from contract.")] == []


def test_function_code_has_nothing_of_the_contract_but_what_it_needs() -> None:
    code = source("termination_logger")
    assert 'EXPECTED_TERMINATION = "groundwork:expected-termination"' in code
    assert "groundwork:run" not in code


def test_function_code_whose_names_clash_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "clash").mkdir()
    (tmp_path / "clash" / "index.py").write_text("from contract.rentals import cents\n\n\ndef cents() -> None: ...\n")
    monkeypatch.setattr(inline, "FOLDER", tmp_path)
    with pytest.raises(ValueError, match="cents is defined twice"):
        source("clash")


def test_function_code_has_the_contract_in_it(tmp_path: Path) -> None:
    template = read_yaml((FOLDER / "data-ecosystem.yaml").read_text())
    code = template["Resources"]["CatalogIndexer"]["Properties"]["Code"]["ZipFile"]
    (tmp_path / "index.py").write_text(code)
    assert "import contract" not in code
    assert "from contract" not in code
    script = "import index; print(index.document({'Embedding': bytes(4), 'Notes': b'a'}))"
    settings = dict.fromkeys(("SEARCH_ENDPOINT", "SEARCH_INDEX", "PATIENCE_SECONDS"), "1")
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={"AWS_DEFAULT_REGION": "us-east-1", **settings},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "{'Embedding': [0.0], 'Notes': 'YQ=='}\n"


def test_the_email_is_optional() -> None:
    template = read_yaml((FOLDER / "termination-alarm.yaml").read_text())
    assert template["Resources"]["EmailSubscription"]["Condition"] == "HasEmailSubscription"
    assert template["Conditions"]["HasEmailSubscription"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "Email"}, ""]}]}


def test_no_template_lets_cloudformation_read_the_machine_image() -> None:
    """Otherwise any update would read the newest one, and replace instances."""
    for file in FOLDER.glob("*.yaml"):
        parameters = read_yaml(file.read_text())["Parameters"]
        assert not [name for name, body in parameters.items() if body["Type"].startswith("AWS::SSM::Parameter")]


def test_the_code_bundle_must_be_given() -> None:
    code = read_yaml((FOLDER / "training.yaml").read_text())["Parameters"]["Code"]
    assert "Default" not in code
    assert re.search(code["AllowedPattern"], "s3://bucket/code.zip")
    assert not re.search(code["AllowedPattern"], "")
