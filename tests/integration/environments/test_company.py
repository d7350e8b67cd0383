"""docs/company.md, followed from top to bottom: every stack twice in an account, by hand and by the pipeline.

A shell runs the commands of the page in an account that has a network and a permissions boundary, and no bootstrap.
Then the pipeline's scripts run as its roles: the plan of the pull request, and the deployment of `prod`.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from contract.stacks import AlertedOutput, StackName, TrainingOutput
from contract.tags import ENVIRONMENT
from localcloud import LocalCloud
from terminal import cdk
from tests import aws_command_line, networks
from tests.shell_pages import follow, steps

pytestmark = pytest.mark.timeout(1800)
ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "company.md"
#: What the commands need of the repository; they change the rest, which is copied.
NEEDED = ("app.py", "docs", "infra", "node_modules", ".venv")
#: What only a git host can run, by the words that a command begins with, and why.
ONLY_A_GIT_HOST = {"gh ": "It asks GitHub.", "git push ": "It needs a repository elsewhere."}
GIT = {
    **{f"GIT_{who}_{what}": "me@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
}
STACKS = {environment: [f"{stack}-{environment}" for stack in StackName] for environment in ("dev", "prod")}
LOGS = "company-logs"
BOUNDARY = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": ["iam:CreateUser", "organizations:*"], "Resource": "*"},
    ],
}


@dataclass
class Company:
    """Who follows the page.

    Attributes:
        cloud: The company's account.
        project: The clone of the repository.
        environment: The variables of the engineer's shell.
        comment: What the pipeline writes under the pull request.
        log: The log of the pipeline's job.
    """

    cloud: LocalCloud
    project: Path
    environment: dict[str, str]
    comment: str = ""
    log: str = ""

    def run(self, script: str, role: str = "", **variables: str) -> str:
        """Run a script as GitHub runs a step, as one of the pipeline's roles; return its output."""
        credentials = self.cloud.role_credentials(self.cloud.outputs("Pipeline")[role]) if role else {}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        words, environment = ["bash", "-e", "-c", script], self.environment | credentials | variables
        done = subprocess.run(words, cwd=self.project, env=environment, text=True, check=False, **pipes)
        assert done.returncode == 0, done.stdout
        return done.stdout


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """An account in which somebody has followed the page, up to the removal of an environment."""
    project, program = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("aws")
    with LocalCloud(tmp_path_factory.mktemp("cloud"), iam="enforce", project=project) as cloud:
        network = make_account(cloud)
        variables = cloud.inherited_environment() | cdk.QUICK | GIT
        variables |= {"PYTHONPATH": str(ROOT), "COLUMNS": "200"}
        variables["PATH"] = f"{aws_command_line.install(program)}:{variables['PATH']}"
        company = Company(cloud, project, variables)
        make_clone(company)
        follow(commands(network)[:-1], project, variables)
        company.log = company.run("bash docs/pipeline/plan.sh main HEAD plan.md", "PlanRoleArn")
        company.comment = (project / "plan.md").read_text()
        company.run(deployment(), "DeployRoleArn", STACKS=" ".join(StackName), ENVIRONMENT="prod")
        yield company


@pytest.fixture(scope="module")
def cloud(company: Company) -> LocalCloud:
    return company.cloud


def make_account(cloud: LocalCloud) -> dict[str, str]:
    """Leave an account that is not bootstrapped, with what a company has there; return the outputs of its network."""
    [bucket] = cloud.client("s3").list_buckets()["Buckets"]
    cloud.client("s3").delete_bucket(Bucket=bucket["Name"])
    cloud.client("ssm").delete_parameter(Name="/cdk-bootstrap/hnb659fds/version")
    cloud.client("iam").create_policy(PolicyName="Limits", PolicyDocument=json.dumps(BOUNDARY))
    cloud.client("s3").create_bucket(Bucket=LOGS)
    [policy] = [block for block in json_blocks() if LOGS in str(block.get("Statement"))]
    cloud.client("s3").put_bucket_policy(Bucket=LOGS, Policy=json.dumps(policy))
    return networks.make(cloud, secrets_endpoint=True)


def make_clone(company: Company) -> None:
    """Make the clone, and do in cdk.json what the page says in words."""
    for name in NEEDED:
        (company.project / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "cloudformation", company.project / "cloudformation")
    shutil.copy(ROOT / "cdk.json", company.project)
    company.run(
        "git init --quiet --initial-branch=main && git add cdk.json cloudformation && git commit --quiet -m Clone"
    )
    settings = json.loads((company.project / "cdk.json").read_text())
    [added] = [block for block in json_blocks() if "environment" in block]
    settings["context"] |= added
    (company.project / "cdk.json").write_text(json.dumps(settings))


def json_blocks() -> list[dict[str, Any]]:
    """What the page shows as JSON."""
    return [
        json.loads(block) for block in re.findall(r"^```json\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    ]


def commands(network: dict[str, str]) -> list[tuple[str, list[str]]]:
    """The blocks of the page with the ids of a network, and without what only a git host can run."""
    ids = {"VPC": "VpcId", "PUBLIC": "PublicSubnetIds", "ISOLATED": "IsolatedSubnetIds"}
    blocks = []
    for block, shown in steps(PAGE):
        for variable, output in ids.items():
            block = re.sub(rf"^{variable}=.*$", f"{variable}={network[output]}", block, flags=re.MULTILINE)  # noqa: PLW2901
        lines = [line for line in block.splitlines() if not line.startswith((*ONLY_A_GIT_HOST,))]
        blocks.append(("\n".join([*lines, ""]), shown))
    return blocks


def deployment() -> str:
    """What the workflow runs to deploy an environment."""
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "deploy.yml").read_text())["jobs"]
    [script] = [step["run"] for step in jobs["prod"]["steps"] if step.get("name") == "Deploy"]
    return str(script)


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
    for environment in STACKS:
        topic = cloud.outputs(f"TerminationAlarm-{environment}")[AlertedOutput.TOPIC_ARN]
        [subscription] = cloud.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
        assert subscription["Endpoint"] == f"{environment}@example.com"


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
                wanted = {ENVIRONMENT: "prod", "CostCenter": "4711", "Owner": "prod"}
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


def test_every_bucket_logs_its_requests_where_the_company_keeps_such_logs(cloud: LocalCloud) -> None:
    s3, stacks = cloud.client("s3"), {*STACKS["dev"], *STACKS["prod"]}
    places = {}
    for bucket in s3.list_buckets()["Buckets"]:
        tags = s3.get_bucket_tagging(Bucket=bucket["Name"])["TagSet"] if bucket["Name"] != LOGS else []
        if {tag["Value"] for tag in tags if tag["Key"] == "aws:cloudformation:stack-name"} & stacks:
            log = s3.get_bucket_logging(Bucket=bucket["Name"])["LoggingEnabled"]
            places[log["TargetPrefix"]] = log["TargetBucket"]
    assert {*places.values()} == {LOGS}
    assert {place.partition("/")[0] for place in places} >= {"WebApp-dev", "WebApp-prod", "Training-dev"}


def test_the_plan_of_the_pull_request_says_all_that_it_should(company: Company) -> None:
    assert "Nothing is newly possible." in company.log
    assert "A gate is closed" not in company.log
    described = {*re.findall(r"^Stack (\S+) \(aws:", company.log, re.MULTILINE)}
    assert described == {*STACKS["dev"], *STACKS["prod"]}
    assert "Number of stacks with differences: 5" in company.log


def test_a_plan_that_is_too_long_for_a_comment_goes_on_in_the_log(company: Company) -> None:
    assert len(company.comment) < 65_536 < len(company.log)
    assert company.log.startswith(company.comment.partition("```\n\nThe rest of the plan")[0])
    assert company.comment.count("```") % 2 == 0


def test_the_morning_watch_reads_the_budgets(company: Company) -> None:
    """The local cloud has no drift detection; tests/integration/pipeline has a stand-in for it."""
    assert company.run("bash docs/pipeline/watch.sh", "WatchRoleArn") == ""


def test_no_stack_makes_a_network_and_databases_are_in_the_isolated_subnets(cloud: LocalCloud) -> None:
    network, ec2 = cloud.outputs("Network"), cloud.client("ec2")
    assert {vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"] if not vpc["IsDefault"]} == {network["VpcId"]}
    isolated, public = (set(network[name].split(",")) for name in ("IsolatedSubnetIds", "PublicSubnetIds"))
    groups = cloud.client("rds").describe_db_subnet_groups()["DBSubnetGroups"]
    assert {subnet["SubnetIdentifier"] for group in groups for subnet in group["Subnets"]} == isolated
    reservations = ec2.describe_instances()["Reservations"]
    assert {one["SubnetId"] for group in reservations for one in group["Instances"]} <= public
    functions = cloud.client("lambda").list_functions()["Functions"]
    places = [set(one["VpcConfig"]["SubnetIds"]) for one in functions if one.get("VpcConfig", {}).get("SubnetIds")]
    assert places
    assert all(place == isolated for place in places)


def test_the_roles_of_the_pipeline_may_do_all_that_it_does(company: Company) -> None:
    roles = {arn.rpartition("/")[2] for arn in company.cloud.outputs("Pipeline").values()}
    assert [denial for denial in company.cloud.denials() if any(role in str(denial) for role in roles)] == []


def test_gitlab_deploys_as_github_does() -> None:
    script = yaml.safe_load((ROOT / "docs" / "gitlab-ci.yml").read_text())[".deploy"]["script"]
    same = [line.replace("CI_ENVIRONMENT_NAME", "ENVIRONMENT").replace(" || exit", "") for line in script]
    assert same == ["make setup", *deployment().splitlines()]


def test_an_environment_goes_and_the_other_stays_as_it_was(company: Company) -> None:
    cloud = company.cloud
    before = {name: cloud.outputs(name) for name in STACKS["prod"]}
    of_prod = {name: status for name, status in statuses(cloud).items() if name in before}
    removal, _ = commands(cloud.outputs("Network"))[-1]
    left = company.run(removal)
    after = statuses(cloud)
    assert not after.keys() & {*STACKS["dev"]}
    assert {name: after[name] for name in before} == of_prod
    assert {name: cloud.outputs(name) for name in STACKS["prod"]} == before
    assert "WebApp-dev" in left
