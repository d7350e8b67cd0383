"""The app: a wrong setting ends it with one line."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from functools import partial
from pathlib import Path

import aws_cdk
import pytest

from contract.stacks import StackName
from infra.stacks import STACKS

APP = Path(__file__).parents[2] / "app.py"


def test_a_wrong_setting_ends_the_app_with_one_line_and_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_context = partial(aws_cdk.App, context={"training.job_attempt": "3"}, outdir=str(tmp_path / "out"))
    monkeypatch.setattr(aws_cdk, "App", with_context)
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(APP), run_name="__main__")
    assert end.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith('Error: There is no setting "training.job_attempt". Did you mean "training.job_attempts"?')
    assert not list(tmp_path.rglob("*.template.json"))


@pytest.mark.parametrize(
    ("chosen", "synthesised"),
    [
        (["Training"], ["Training"]),
        (["T*"], ["TerminationAlarm", "Training"]),
        (["**"], [stack.__name__ for stack in STACKS]),
        ([], [stack.__name__ for stack in STACKS]),
        (["Nothing"], [stack.__name__ for stack in STACKS]),
    ],
    ids=["one", "a pattern", "all", "no choice", "an unknown name"],
)
def test_only_the_chosen_stacks_are_synthesised(
    chosen: list[str], synthesised: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def record(_self: object, _app: object, name: str, _config: object) -> None:
        made.append(name)

    recording = [type(stack.__name__, (), {"__init__": record}) for stack in STACKS]
    monkeypatch.setattr("infra.stacks.STACKS", recording)
    context = {"aws:cdk:bundling-stacks": chosen}  # as `cdk deploy NAME --exclusively` sets it
    monkeypatch.setattr(aws_cdk, "App", partial(aws_cdk.App, context=context, outdir=str(tmp_path / "out")))
    runpy.run_path(str(APP), run_name="__main__")
    assert sorted(made) == sorted(synthesised)


def _run(folder: Path, context: dict[str, object]) -> subprocess.CompletedProcess[str]:
    """Run the app as the CDK's command line does, for one stack; what it imports is in its output."""
    own = {"CDK_OUTDIR": str(folder), "CDK_CONTEXT_JSON": json.dumps(context), "CDK_VALIDATION": "false"}
    command = [sys.executable, "-X", "importtime", str(APP)]
    return subprocess.run(
        command, cwd=APP.parent, env=os.environ | own, capture_output=True, text=True, encoding="utf-8", check=False
    )


def test_an_unchanged_app_gives_the_same_without_the_cdk_and_a_changed_policy_is_seen(tmp_path: Path) -> None:
    policy = tmp_path / "policy.json"
    policy.write_text(json.dumps({"tags": {"Team": {"tag_value": {"@@assign": ["Films"]}}}}))
    context = {
        "aws:cdk:bundling-stacks": ["DevOpsMetrics"],
        "tag_policy": str(policy),  # a file of this test's own: nothing was kept that has read it
        "tags.Team": "Films",
    }
    first, second = (_run(tmp_path / name, context) for name in ("first", "second"))
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert "aws_cdk" in first.stderr
    assert "aws_cdk" not in second.stderr
    made = {path.name: path.read_bytes() for path in (tmp_path / "first").iterdir()}
    assert made == {path.name: path.read_bytes() for path in (tmp_path / "second").iterdir()}
    assert "DevOpsMetrics.template.json" in made
    policy.write_text(json.dumps({"tags": {"Team": {"tag_value": {"@@assign": ["Books"]}}}}))
    third = _run(tmp_path / "third", context)
    assert third.returncode == 2
    assert "the tag policy allows Books for Team, and not Films" in third.stderr


def test_the_contract_names_the_stacks_and_their_settings() -> None:
    assert {name.value: name.name.lower() for name in StackName} == {kind.__name__: kind.SECTION for kind in STACKS}
