"""The cloud from a shell, with the real CDK command line on a cloud assembly."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from localcloud import LocalCloud, LocalCloudError
from localcloud.commands import app
from tests.documents import document

ROOT = Path(__file__).parents[3]
BUCKET = {"Type": "AWS::S3::Bucket", "Properties": {}}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CDK app that is synthesised already; `write` changes its only stack."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "cdk.json").write_text('{"app": "assembly"}')
    (folder / "node_modules").symlink_to(ROOT / "node_modules")
    (folder / "assembly").mkdir()
    stack = {
        "type": "aws:cloudformation:stack",
        "environment": "aws://unknown-account/unknown-region",
        "properties": {"templateFile": "Shop.template.json"},
    }
    manifest = {"version": "48.0.0", "artifacts": {"Shop": stack}}
    (folder / "assembly" / "manifest.json").write_text(json.dumps(manifest))
    write(folder, Data=BUCKET)
    return folder


def write(project: Path, **resources: Any) -> None:
    outputs = {"Name": {"Value": {"Ref": "Data"}}}
    (project / "assembly" / "Shop.template.json").write_text(json.dumps({"Resources": resources, "Outputs": outputs}))


@pytest.fixture(scope="module")
def running(project: Path) -> Iterator[LocalCloud]:
    """A cloud that the command line has started in the project's folder, and stops."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        assert run("up").startswith("ready http://localhost:")
        yield LocalCloud(Path(".groundwork/local/default"), project=project)
        assert run("down").startswith("stopped http://localhost:")


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_lists_what_there_is(running: LocalCloud) -> None:
    running.client("s3").create_bucket(Bucket="somebodys")
    assert ["buckets", "somebodys"] in [line.split() for line in run("sweep").splitlines()]
    running.client("s3").delete_bucket(Bucket="somebodys")
    assert "somebodys" not in run("sweep")


def test_says_where_it_is(running: LocalCloud) -> None:
    assert running.endpoint in run("status")
    assert str(running.mailbox) in run("status")


def test_documents_say_what_the_page_promises(running: LocalCloud) -> None:
    status = document(run("status", "--json"), "local status")
    assert (status["endpoint"], status["mailbox"]) == (running.endpoint, str(running.mailbox))
    assert document(run("env", "--json"), "local env")["environment"]["AWS_ENDPOINT_URL"] == running.endpoint
    running.client("s3").create_bucket(Bucket="somebodys")
    assert "somebodys" in document(run("sweep", "--json"), "local sweep")["resources"]["buckets"]
    running.client("s3").delete_bucket(Bucket="somebodys")


def test_one_command_prints_how_to_connect_to_a_database(running: LocalCloud) -> None:
    with pytest.raises(LocalCloudError, match="no database of postgresql"):
        run("connect", "postgresql")
    rds = running.client("rds")
    rds.create_db_instance(
        DBInstanceIdentifier="ledger",
        Engine="postgres",
        DBInstanceClass="db.t4g.micro",
        AllocatedStorage=20,
        MasterUsername="clerk",
        MasterUserPassword="printed-nowhere",
    )
    rds.get_waiter("db_instance_available").wait(DBInstanceIdentifier="ledger", WaiterConfig={"Delay": 1})
    for arguments in ((), ("postgresql",)):
        title, command = run("connect", *arguments).splitlines()
        assert title == "# ledger (postgres, available)"
        assert command.startswith("psql 'host=")
        assert "sslmode=verify-full" in command
    [row] = document(run("connect", "postgresql", "--json"), "local connect")["databases"]
    assert (row["name"], row["command"]) == ("ledger", command)
    with pytest.raises(LocalCloudError, match="no database of mysql"):
        run("connect", "mysql")
    rds.delete_db_instance(DBInstanceIdentifier="ledger", SkipFinalSnapshot=True)


def test_a_shell_that_evaluates_the_environment_reaches_it(running: LocalCloud) -> None:
    script = "eval \"$1\"; python -c \"import boto3; print(boto3.client('sts').get_caller_identity()['Account'])\""
    shell = subprocess.run(["sh", "-c", script, "sh", run("env")], capture_output=True, text=True, check=True)
    assert shell.stdout.strip() == "123456789012"


def test_starting_it_twice_says_where_it_runs(running: LocalCloud) -> None:
    with pytest.raises(LocalCloudError, match=f"already running at {running.endpoint}"):
        run("up")


@pytest.mark.parametrize("command", ["status", "down", "env", "deploy", "destroy"])
def test_commands_for_a_cloud_that_does_not_run_say_how_to_start_it(running: LocalCloud, command: str) -> None:
    with pytest.raises(LocalCloudError, match="groundwork local up"):
        run(command, "--name", "other")


def test_context_must_be_pairs(running: LocalCloud) -> None:
    with pytest.raises(LocalCloudError, match="key=value"):
        run("deploy", "-c", "nonsense")


def test_the_cdk_deploys_updates_fails_and_destroys(running: LocalCloud, project: Path) -> None:
    assert "Shop.Name = shop-data-" in run("deploy", "Shop")
    bucket = running.outputs("Shop")["Name"]
    assert "(no changes)" in run("deploy")

    write(project, Data=BUCKET, Broken={"Type": "AWS::S3::Bucket", "Properties": {"Colour": "blue"}})
    with pytest.raises(LocalCloudError, match=r"Broken .*Colour.*deploy\.log"):
        running.deploy("Shop")
    assert running.outputs("Shop") == {"Name": bucket}

    write(project, Data={**BUCKET, "Properties": {"VersioningConfiguration": {"Status": "Enabled"}}})
    assert document(run("deploy", "Shop", "--json"), "local deploy")["stacks"] == {"Shop": {"Name": bucket}}
    assert running.client("s3").get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"

    destroyed = document(run("destroy", "Shop", "--json"), "local destroy")
    assert ("Shop" in destroyed["destroyed"], "Shop" in destroyed["stacks"]) == (True, False)
    with pytest.raises(LocalCloudError, match="not deployed"):
        running.outputs("Shop")
    assert bucket not in [found["Name"] for found in running.client("s3").list_buckets()["Buckets"]]


def test_a_removal_runs_no_app_whose_output_has_the_stack(running: LocalCloud, project: Path) -> None:
    run("deploy", "Shop")
    settings, output = project / "cdk.json", running.folder / "cdk.out"
    before = settings.read_text()
    settings.write_text('{"app": "false"}')
    try:
        with pytest.raises(LocalCloudError, match="cdk destroy failed"):
            running.destroy("Shop")
        shutil.copytree(project / "assembly", output, dirs_exist_ok=True)  # as a program leaves it
        manifest = (output / "manifest.json").read_text()
        (output / "manifest.json").write_text(
            manifest.replace('"properties": {', '"properties": {"stackName": "Other", ')
        )
        with pytest.raises(LocalCloudError, match="cdk destroy failed"):
            running.destroy("Shop")
        (output / "manifest.json").write_text(manifest)
        with pytest.raises(LocalCloudError, match="cdk destroy failed"):
            running.destroy("Shop", context={"stage": "production"})
        running.destroy("Shop")
    finally:
        settings.write_text(before)
        shutil.rmtree(output, ignore_errors=True)
    with pytest.raises(LocalCloudError, match="not deployed"):
        running.outputs("Shop")


def test_without_node_the_error_says_what_is_missing(
    running: LocalCloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LocalCloudError, match=r"Node\.js is not on PATH"):
        running.deploy("Shop")
