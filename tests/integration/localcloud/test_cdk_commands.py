"""Commands of the CDK's command line beside `cdk deploy`: each works with a local cloud, or says what is not there."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from localcloud import LocalCloud
from terminal import cdk

ROOT = Path(__file__).parents[3]
APP = """
import os
from pathlib import Path

from aws_cdk import App, LegacyStackSynthesizer, RemovalPolicy, Stack
from aws_cdk import aws_lambda as lambda_, aws_s3 as s3

app = App(analytics_reporting=False)
stack = Stack(app, "CdkCommands", synthesizer=LegacyStackSynthesizer())
function = lambda_.Function(
    stack, "Function", runtime=lambda_.Runtime.PYTHON_3_14, handler="index.handler", function_name="cdk-commands",
    code=lambda_.Code.from_inline(Path("handler.py").read_text()),
)
if os.environ.get("WITH_BUCKET"):
    bucket = s3.CfnBucket(stack, "Existing", bucket_name="cdk-commands-existing")
    bucket.apply_removal_policy(RemovalPolicy.RETAIN)
app.synth()
"""
HANDLER = "def handler(event, context):\n    return '{}'\n"
NO_IMPORT = "The local cloud does not import existing resources into a stack"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one stack, whose function's code is in a file."""
    (tmp_path / "node_modules").symlink_to(ROOT / "node_modules")
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "handler.py").write_text(HANDLER.format("first"))
    settings = {"app": f"{sys.executable} app.py", "watch": {"include": ["handler.py"]}}
    (tmp_path / "cdk.json").write_text(json.dumps(settings))
    return tmp_path


def environment(cloud: LocalCloud, **more: str) -> dict[str, str]:
    return cloud.inherited_environment() | cdk.QUICK | more


def run(cloud: LocalCloud, project: Path, command: str, *arguments: str, **more: str) -> cdk.Finished:
    return cdk.run(command, *arguments, project=project, environment=environment(cloud, **more))


def test_import_and_drift_end_with_one_sentence_that_says_what_is_not_there(cloud: LocalCloud, project: Path) -> None:
    assert not run(cloud, project, "deploy", "--require-approval=never").failed
    cloud.client("s3").create_bucket(Bucket="cdk-commands-existing")
    mapping = project / "mapping.json"
    mapping.write_text(json.dumps({"Existing": {"BucketName": "cdk-commands-existing"}}))
    imported = run(cloud, project, "import", "--force", f"--resource-mapping={mapping}", WITH_BUCKET="1")
    assert imported.failed
    assert imported.lines[-1].startswith(NO_IMPORT)
    adopting = ("--require-approval=never", "--import-existing-resources")
    adopted = run(cloud, project, "deploy", *adopting, WITH_BUCKET="1")
    assert adopted.failed
    assert any(NO_IMPORT in line for line in adopted.lines)
    drift = run(cloud, project, "drift")
    assert drift.failed
    assert drift.lines[-1] == "DetectStackDrift is not there in the local cloud"
    stack = cloud.client("cloudformation").describe_stacks(StackName="CdkCommands")["Stacks"][0]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    cloud.client("cloudformation").delete_stack(StackName="CdkCommands")


def test_watch_gives_a_function_its_code_after_each_change(cloud: LocalCloud, project: Path, tmp_path: Path) -> None:
    """It only changes what there is, here as with AWS: `cdk deploy` comes first."""
    assert not run(cloud, project, "deploy", "--require-approval=never").failed
    with (tmp_path / "watch.log").open("wb") as log:
        watching = subprocess.Popen(
            [ROOT / "node_modules" / ".bin" / "cdk", "watch", "--no-notices"],
            cwd=project,
            env=environment(cloud),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        for value in ("second", "third"):
            (project / "handler.py").write_text(HANDLER.format(value))
            wait_until(partial(returns, cloud, value), watching, tmp_path / "watch.log")
    finally:
        watching.terminate()
        watching.wait()
    cloud.client("cloudformation").delete_stack(StackName="CdkCommands")


def returns(cloud: LocalCloud, value: str) -> bool:
    """Whether the function is there, and returns this."""
    client = cloud.client("lambda")
    try:
        return bool(json.load(client.invoke(FunctionName="cdk-commands")["Payload"]) == value)
    except client.exceptions.ResourceNotFoundException:
        return False


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.3)
