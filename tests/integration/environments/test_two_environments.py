"""Every stack twice in an account, once for each of two environments, as docs/company.md says."""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from contract.stacks import StackName, TrainingOutput
from contract.tags import ENVIRONMENT
from groundwork.__main__ import app
from localcloud import LocalCloud
from tests import networks

pytestmark = pytest.mark.timeout(900)
REPOSITORY = Path(__file__).parents[3]
STACKS = {environment: [f"{stack}-{environment}" for stack in StackName] for environment in ("dev", "prod")}
BOUNDARY = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": ["iam:CreateUser", "organizations:*"], "Resource": "*"},
    ],
}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """A local cloud and a project with two environments in it, in whose folder the commands run."""
    folder, project = tmp_path_factory.mktemp("cloud"), tmp_path_factory.mktemp("project")
    with LocalCloud(folder, iam="enforce", project=project) as running, pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        for name, value in running.environment().items():
            patch.setenv(name, value)
        make_project(project, running)
        running.deploy(*STACKS["dev"], *STACKS["prod"])
        yield running


def make_project(project: Path, cloud: LocalCloud) -> None:
    """Write cdk.json and the files of two environments, and create what the account has before the stacks."""
    network = networks.make(cloud)
    bundle = project / "code.zip"
    with zipfile.ZipFile(bundle, "w") as archive:
        archive.writestr("workloads/__init__.py", "")
    cloud.client("s3").create_bucket(Bucket="code")
    cloud.client("s3").upload_file(str(bundle), "code", "code.zip")
    cloud.client("iam").create_policy(PolicyName="Limits", PolicyDocument=json.dumps(BOUNDARY))
    context: dict[str, Any] = {"environment": ["dev", "prod"], "permissions_boundary": "Limits", "role_path": "/shop/"}
    for stack in networks.SECTIONS:
        context |= networks.settings(stack, network)
    context |= {f"{section}.code": "s3://code/code.zip" for section in ("training", "data_ecosystem", "web_app")}
    command = f"PYTHONPATH={REPOSITORY} {sys.executable} {REPOSITORY / 'app.py'}"
    (project / "cdk.json").write_text(json.dumps({"app": command, "context": context}))
    (project / "node_modules").symlink_to(REPOSITORY / "node_modules")
    environments = project / "environments"
    environments.mkdir()
    (environments / "dev.json").write_text(json.dumps({"tags": {"CostCenter": "dev"}}))
    (environments / "prod.json").write_text(
        json.dumps({"termination_alarm": {"threshold": 3}, "tags": {"CostCenter": "shop", "Owner": "ops"}})
    )


def statuses(cloud: LocalCloud) -> dict[str, str]:
    stacks = cloud.client("cloudformation").get_paginator("describe_stacks").paginate()
    return {stack["StackName"]: stack["StackStatus"] for page in stacks for stack in page["Stacks"]}


def alarms(cloud: LocalCloud, stack: str) -> list[dict[str, Any]]:
    pages = cloud.client("cloudwatch").get_paginator("describe_alarms").paginate(AlarmNamePrefix=f"{stack}-")
    return [alarm for page in pages for alarm in page["MetricAlarms"]]


def test_every_stack_is_there_once_for_each_environment(cloud: LocalCloud) -> None:
    names = [*STACKS["dev"], *STACKS["prod"]]
    deployed = statuses(cloud)
    assert {name: deployed[name] for name in names} == dict.fromkeys(names, "CREATE_COMPLETE")


def test_each_environment_has_its_own_settings(cloud: LocalCloud) -> None:
    thresholds = {
        environment: [
            alarm["Threshold"]
            for alarm in alarms(cloud, f"TerminationAlarm-{environment}")
            if alarm["MetricName"] == "CountedTerminations"
        ]
        for environment in STACKS
    }
    assert thresholds == {"dev": [1.0], "prod": [3.0]}


def test_the_metrics_of_environments_do_not_mix(cloud: LocalCloud) -> None:
    """An alarm of one environment would ring for the other if both watched the same metric of ours."""
    watched = {
        environment: {
            (alarm["Namespace"], alarm["MetricName"], json.dumps(alarm["Dimensions"]))
            for stack in names
            for alarm in alarms(cloud, stack)
            if "Namespace" in alarm
        }
        for environment, names in STACKS.items()
    }
    assert watched["dev"]
    assert not watched["dev"] & watched["prod"]


def test_a_job_sends_its_metrics_where_its_stack_looks(cloud: LocalCloud) -> None:
    batch = cloud.client("batch")
    queue = cloud.outputs("Training-prod")[TrainingOutput.CPU_QUEUE_ARN]
    definition = cloud.outputs("Training-prod")[TrainingOutput.PREDICT_JOB_DEFINITION_ARN]
    [job] = batch.describe_job_definitions(jobDefinitions=[definition])["jobDefinitions"]
    variables = {entry["name"]: entry["value"] for entry in job["containerProperties"]["environment"]}
    assert variables["GROUNDWORK_METRIC_NAMESPACE"] == "Groundwork/Training-prod"
    assert "Training-prod" in queue


def test_all_that_takes_tags_has_those_of_its_environment(cloud: LocalCloud) -> None:
    tagged: dict[str, set[tuple[str, str]]] = {}
    for page in cloud.client("resourcegroupstaggingapi").get_paginator("get_resources").paginate():
        for resource in page["ResourceTagMappingList"]:
            tags = {tag["Key"]: tag["Value"] for tag in resource["Tags"]}
            stack = tags.get("aws:cloudformation:stack-name", "")
            if stack.endswith("-prod"):
                wanted = {ENVIRONMENT: "prod", "CostCenter": "shop", "Owner": "ops"}
                tagged[resource["ResourceARN"]] = wanted.items() - tags.items()
    assert tagged
    assert {arn: missing for arn, missing in tagged.items() if missing} == {}


def test_every_role_has_the_boundary_and_the_path(cloud: LocalCloud) -> None:
    iam = cloud.client("iam")
    roles = [role for page in iam.get_paginator("list_roles").paginate(PathPrefix="/shop/") for role in page["Roles"]]
    resources = cloud.client("cloudformation").get_paginator("list_stack_resources")
    created = {
        resource["PhysicalResourceId"]
        for names in STACKS.values()
        for name in names
        for page in resources.paginate(StackName=name)
        for resource in page["StackResourceSummaries"]
        if resource["ResourceType"] == "AWS::IAM::Role"
    }
    assert {role["RoleName"] for role in roles} == created
    boundaries = {
        iam.get_role(RoleName=name)["Role"].get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", "")
        for name in created
    }
    assert boundaries == {"arn:aws:iam::123456789012:policy/Limits"}


def test_commands_take_the_name_of_an_environments_stack(cloud: LocalCloud) -> None:
    deployed = CliRunner().invoke(app, ["deploy", "TerminationAlarm-prod", "--yes", "--json"])
    assert deployed.exit_code == 0, deployed.output
    assert json.loads(deployed.stdout)["stack"] == "TerminationAlarm-prod"
    cost = CliRunner().invoke(app, ["cost", "--json"])
    assert {*json.loads(cost.stdout)["usd_idle_per_month"]} == {*STACKS["dev"], *STACKS["prod"]}


def test_an_environment_goes_and_the_other_stays_as_it_was(cloud: LocalCloud) -> None:
    before = {name: cloud.outputs(name) for name in STACKS["prod"]}
    of_prod = {name: status for name, status in statuses(cloud).items() if name in before}
    cloud.destroy(*STACKS["dev"])
    after = statuses(cloud)
    assert not after.keys() & {*STACKS["dev"]}
    assert {name: after[name] for name in before} == of_prod
    assert {name: cloud.outputs(name) for name in STACKS["prod"]} == before
    left = json.loads(CliRunner().invoke(app, ["left", "WebApp-dev", "--json"]).stdout)["left"]
    assert {resource["stack"] for resource in left} == {"WebApp-dev"}
