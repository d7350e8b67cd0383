"""What is removed leaves nothing but what its template retains, by name; data go with both keys alone."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from groundwork.__main__ import app, main
from infra.console import TEMPLATES
from localcloud import LocalCloud
from localcloud.inventory import inventory

pytestmark = pytest.mark.timeout(600)

STACKS = [kind.__name__ for kind, _ in TEMPLATES.values()]
#: What AWS makes by itself when a resource is made that stays, and keeps with it.
COMES_WITH = {
    "AWS::EC2::VPC": {"route tables", "security groups"},  # the main table and the default group
}
KEYS = {"allow_data_deletion": "true", "training.delete_data": "true"}
BOTH = [part for key, value in KEYS.items() for part in ("-c", f"{key}={value}")]


@dataclass(frozen=True)
class Removal:
    """What was said and what is left when all stacks were removal.

    Attributes:
        kept: By stack, physical ids and types of what its template retains.
        left: By kind, the names of what is left.
        declined: What `groundwork destroy TerminationAlarm` said, and its exit code, when the answer was no.
        one_key: The error of `groundwork destroy Training` with one key to data that may go.
        both_keys: What it said with both.
    """

    kept: dict[str, dict[str, str]]
    left: dict[str, set[str]]
    declined: tuple[str, int]
    one_key: str
    both_keys: str


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """A local cloud of its own: what is left in it is what the removal left."""
    with LocalCloud(tmp_path_factory.mktemp("cloud")) as running:
        yield running


@pytest.fixture(scope="module")
def shell(cloud: LocalCloud) -> Iterator[LocalCloud]:
    """A shell in the project's folder after `eval "$(groundwork local env)"`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(Path(__file__).parents[3])
        for name, value in cloud.shell_environment().items():
            patch.setenv(name, value)
        yield cloud


@pytest.fixture(scope="module")
def removal(shell: LocalCloud) -> Removal:
    """Every stack deployed, Training so that its data may go; then that removed by our command, the rest by AWS's."""
    before = inventory(shell.client)
    shell.deploy(context=KEYS)
    kept = {stack: retained(shell, stack) for stack in STACKS}
    during = inventory(shell.client)
    assert sum(len(during[kind] - before[kind]) for kind in before) > 100
    fill(shell)

    declined = groundwork("destroy", "TerminationAlarm", answer="n\n")
    one_key = groundwork("destroy", "Training", "--yes", *BOTH[:2])
    both_keys = groundwork("destroy", "Training", *BOTH, answer="y\n")
    assert both_keys.exit_code == 0, both_keys.output
    cloudformation = shell.client("cloudformation")
    for stack in STACKS:
        cloudformation.delete_stack(StackName=stack)
    assert cloudformation.describe_stacks()["Stacks"] == []
    after = inventory(shell.client)
    left = {kind: after[kind] - before[kind] for kind in before if after[kind] - before[kind]}
    return Removal(kept, left, (declined.output, declined.exit_code), str(one_key.exception), both_keys.output)


def groundwork(*arguments: str, answer: str = "") -> Any:
    return CliRunner().invoke(app, arguments, input=answer)


def fill(cloud: LocalCloud) -> None:
    """Objects for Training's buckets: two versions and a deletion where the bucket keeps them."""
    s3, outputs = cloud.client("s3"), cloud.outputs("Training")
    for name in ("DataBucketName", "ArtifactBucketName"):
        for body in (b"old", b"new"):
            s3.put_object(Bucket=outputs[name], Key="a", Body=body)
    s3.delete_object(Bucket=outputs["ArtifactBucketName"], Key="a")


def retained(cloud: LocalCloud, stack: str) -> dict[str, str]:
    cloudformation = cloud.client("cloudformation")
    body: Any = cloudformation.get_template(StackName=stack)["TemplateBody"]
    resources = (json.loads(body) if isinstance(body, str) else body)["Resources"]
    found = cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
    return {
        each["PhysicalResourceId"]: each["ResourceType"]
        for each in found
        if resources[each["LogicalResourceId"]].get("DeletionPolicy") == "Retain"
    }


@pytest.mark.parametrize("stack", STACKS)
def test_what_a_template_retains_is_still_there(removal: Removal, stack: str) -> None:
    left = set().union(*removal.left.values())
    assert removal.kept[stack].keys() - left == set()


def test_nothing_else_is_left(removal: Removal) -> None:
    kept = {name: kind for of_stack in removal.kept.values() for name, kind in of_stack.items()}
    excused = set().union(*(COMES_WITH.get(kind, set()) for kind in kept.values()))
    others = {kind: names - kept.keys() for kind, names in removal.left.items() if names - kept.keys()}
    assert others.keys() <= excused, others
    networks = sum(kind == "AWS::EC2::VPC" for kind in kept.values())
    assert all(len(names) == networks for names in others.values()), others


# groundwork destroy


def test_removal_says_what_stays_and_what_it_costs_and_asks(removal: Removal) -> None:
    said, code = removal.declined
    assert code == 1
    kept = removal.kept["TerminationAlarm"]
    assert kept
    assert [name for name in kept if name not in said] == []
    assert "What stays bills 0.00 USD a month" in said
    assert "0.03 a GB-month" in said
    assert "Remove TerminationAlarm?" in said


def test_objects_go_with_both_keys_alone(removal: Removal) -> None:
    """Training's buckets were full with one key, and gone with both: nothing of it is in `left`."""
    assert removal.kept["Training"] == {}
    assert "the settings here do not agree" in removal.one_key
    assert "-c allow_data_deletion=true -c training.delete_data=true" in removal.one_key
    assert re.search(
        r"Deleted for good: 3 objects and versions in training-artifactbucket", removal.both_keys, re.IGNORECASE
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["Training"], "Training is not deployed"),
        (["Nowhere"], "There is no stack Nowhere"),
        (["Training", "-c", "training.nope=1"], 'unknown setting "training.nope"'),
        (["Training", "-c", "nope"], "--context nope: expected key=value"),
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
