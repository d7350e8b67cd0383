"""The roles of docs/pipeline.yaml, in the local cloud, and the pipelines that use them."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from groundwork.preflight import subjects
from groundwork.preflight.checks import permissions
from infra.stacks import STACKS
from localcloud import LocalCloud
from localcloud.cloud.inventory import inventory

ROOT = Path(__file__).parents[3]
ISSUER = "token.actions.githubusercontent.com"
SUBJECTS = {
    "PlanSubjects": ["repo:acme/shop:pull_request"],
    "DeploySubjects": ["repo:acme/shop:environment:dev", "repo:acme/shop:environment:prod"],
    "WatchSubjects": ["repo:acme/shop:ref:refs/heads/main"],
}
TEMPLATE = (ROOT / "docs" / "pipeline.yaml").read_text()
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


#: What GitLab's tokens say; docs/pipelines.md has the same.
GITLAB = {
    "Issuer": "gitlab.com",
    "Audience": "https://gitlab.com",
    "PlanSubjects": "project_path:acme/shop:ref_type:branch:ref:*",
    "DeploySubjects": "project_path:acme/shop:ref_type:branch:ref:main",
    "WatchSubjects": "project_path:acme/shop:ref_type:branch:ref:main",
}
PROVIDER = {
    "Parameters": {"Url": {"Type": "String"}, "Client": {"Type": "String"}},
    "Resources": {
        "Provider": {
            "Type": "AWS::IAM::OIDCProvider",
            "Properties": {"Url": {"Ref": "Url"}, "ClientIdList": [{"Ref": "Client"}]},
        }
    },
    "Outputs": {"ProviderArn": {"Value": {"Ref": "Provider"}}},
}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with LocalCloud(tmp_path_factory.mktemp("cloud")) as cloud:
        yield cloud


def deploy(cloud: LocalCloud, name: str, template: str, **parameters: str) -> dict[str, str]:
    """Create a stack, and return its outputs."""
    cloud.client("cloudformation").create_stack(
        StackName=name,
        TemplateBody=template,
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
    )
    return cloud.outputs(name)


@pytest.fixture(scope="module")
def roles(cloud: LocalCloud) -> dict[str, tuple[Any, list[Any]]]:
    """Trust and statements of each role, by its output."""
    iam = cloud.client("iam")
    provider = iam.create_open_id_connect_provider(Url=f"https://{ISSUER}", ClientIDList=["sts.amazonaws.com"])
    given = {name: ",".join(values) for name, values in SUBJECTS.items()}
    given["ProviderArn"] = provider["OpenIDConnectProviderArn"]
    made = {}
    for output, arn in deploy(cloud, "Pipeline", TEMPLATE, **given).items():
        name = arn.rpartition("/")[2]
        inline = [
            iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]["Statement"]
            for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
        ]
        attached = [
            iam.get_policy_version(PolicyArn=policy["PolicyArn"], VersionId="v1")["PolicyVersion"]["Document"]
            for policy in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
            if ":aws:policy" not in policy["PolicyArn"]
        ]
        statements = [
            *(row for rows in inline for row in rows),
            *(row for one in attached for row in one["Statement"]),
        ]
        made[output] = (iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"], statements)
    return made


def test_a_stack_makes_the_provider_of_the_roles_and_both_go_without_remains(cloud: LocalCloud) -> None:
    before, cloudformation, iam = inventory(cloud.client), cloud.client("cloudformation"), cloud.client("iam")
    audience = GITLAB["Audience"]
    outputs = deploy(cloud, "Identities", json.dumps(PROVIDER), Url=audience, Client=audience)
    provider = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=outputs["ProviderArn"])
    assert (provider["Url"], provider["ClientIDList"]) == ("gitlab.com", [audience])
    for arn in deploy(cloud, "FromGitLab", TEMPLATE, **GITLAB, **outputs).values():
        role = iam.get_role(RoleName=arn.rpartition("/")[2])["Role"]
        [statement] = role["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Principal"]["Federated"] == outputs["ProviderArn"]
        assert "gitlab.com:sub" in str(statement["Condition"])
    for stack in ("FromGitLab", "Identities"):
        cloudformation.delete_stack(StackName=stack)
    assert inventory(cloud.client) == before


def test_a_role_trusts_only_tokens_of_its_repository_and_environments(roles: dict[str, tuple[Any, list[Any]]]) -> None:
    assert len(roles) == len(SUBJECTS)
    for parameter, subjects_of_role in SUBJECTS.items():
        [statement] = roles[parameter.replace("Subjects", "RoleArn")][0]["Statement"]
        assert statement["Principal"]["Federated"].endswith(f":oidc-provider/{ISSUER}")
        assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
        conditions = {key: value for rows in statement["Condition"].values() for key, value in rows.items()}
        assert conditions == {f"{ISSUER}:aud": "sts.amazonaws.com", f"{ISSUER}:sub": subjects_of_role}
        assert not any("*" in subject for subject in subjects_of_role)


def test_plan_and_deployment_may_ask_what_preflight_asks(roles: dict[str, tuple[Any, list[Any]]]) -> None:
    for output in ("PlanRoleArn", "DeployRoleArn"):
        asking = [row["Action"] for row in roles[output][1] if row["Resource"] == "*"]
        assert asking == [permissions(subjects.CHECKS)]


def test_no_role_changes_anything_but_by_the_bootstrap_and_the_stacks_change_sets(
    roles: dict[str, tuple[Any, list[Any]]],
) -> None:
    names = {stack.__name__ for stack in STACKS} | {"Budget"}
    for output, (_, statements) in roles.items():
        for row in (row for row in statements if row["Resource"] != "*"):
            resources = row["Resource"] if isinstance(row["Resource"], list) else [row["Resource"]]
            if row["Action"] == "sts:AssumeRole":
                assert all(re.search(r":role/cdk-hnb659fds-[a-z-]+-role-\d+-", resource) for resource in resources)
            elif "cloudformation:" in str(row["Action"]):
                stacks = {re.split(r"-\*|/", resource.partition(":stack/")[2])[0] for resource in resources}
                assert stacks == names, output
            else:
                assert row["Action"] == "budgets:ViewBudget"
        changing = r"cloudformation:(Create|Update|SetStackPolicy)|iam:(Create|Put|Attach|Pass)"
        assert not re.search(changing, str(statements)), output


@pytest.mark.parametrize("file", [*WORKFLOWS, ROOT / "docs" / "gitlab-ci.yml"], ids=lambda path: path.name)
def test_a_pipeline_holds_no_keys_and_takes_its_role_from_a_variable(file: Path) -> None:
    text = file.read_text()
    assert not re.search(r"AKIA|AWS_SECRET_ACCESS_KEY|arn:aws", text)
    assert yaml.safe_load(text)
    for role in re.findall(r"role-to-assume: (.*?),", text):
        assert re.match(r'"\$\{\{ vars\.AWS_(PLAN|DEPLOY|WATCH)_ROLE \}\}"', role)


def test_a_workflow_gives_its_token_only_what_a_job_needs() -> None:
    jobs = [job for file in WORKFLOWS for job in yaml.safe_load(file.read_text())["jobs"].values()]
    signed_in = [job for job in jobs if "role-to-assume" in str(job)]
    assert len(signed_in) == len(SUBJECTS) + 1
    for job in signed_in:
        assert job["permissions"].items() >= {"contents": "read", "id-token": "write"}.items()
        assert set(job["permissions"]) <= {"contents", "id-token", "pull-requests"}
    deploy = yaml.safe_load((ROOT / ".github/workflows/deploy.yml").read_text())["jobs"]
    assert (deploy["prod"]["environment"], deploy["prod"]["needs"]) == ("prod", "dev")


def test_the_plan_closes_its_gate_for_new_access_and_for_what_preflight_refuses(tmp_path: Path) -> None:
    """The programs are stand-ins: each ends with the code that the test asks for."""
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/activate").write_text(f"PATH={tmp_path}:$PATH\n")
    for name in ("groundwork", "cdk"):
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\necho "{name} $*"\ncase "$1" in $REFUSES) exit 1;; esac\n')
        program.chmod(0o755)

    def code(refuses: str, reviewed: str = "") -> int:
        environment = {"PATH": "/usr/bin:/bin", "REFUSES": refuses, "ACCESS_REVIEWED": reviewed}
        command = ["bash", str(ROOT / "docs/pipeline/plan.sh"), "old", "new", "plan.md"]
        return subprocess.run(command, cwd=tmp_path, env=environment, check=False).returncode

    assert code("nothing") == 0
    plan = (tmp_path / "plan.md").read_text()
    assert "groundwork access-diff old new" in plan
    assert "A gate is closed" not in plan
    assert code("access-diff") == 1
    assert "A gate is closed" in (tmp_path / "plan.md").read_text()
    assert code("access-diff", reviewed="yes") == 0
    assert code("preflight", reviewed="yes") == 1
    assert code("diff") == 0  # cdk diff ends with 1 where something changes


@pytest.mark.parametrize(("status", "code"), [("IN_SYNC", 0), ("DRIFTED", 1)])
def test_the_watch_ends_with_1_where_a_stack_has_drifted(tmp_path: Path, status: str, code: int) -> None:
    """The AWS command line is a stand-in, because the local cloud has no drift detection."""
    program = tmp_path / "aws"
    program.write_text(f"""#!/bin/sh
case "$2" in
  detect-stack-drift) echo detection ;;
  describe-stack-drift-detection-status)
    printf 'DETECTION_COMPLETE\\t{status}\\n' ;;
  describe-stack-resource-drifts) echo "Topic MODIFIED" ;;
  get-caller-identity) echo 123456789012 ;;
esac
""")
    program.chmod(0o755)
    command = ["bash", str(ROOT / "docs/pipeline/watch.sh"), "WebApp-prod"]
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    assert ("Topic MODIFIED" in done.stdout) == bool(code)


def test_the_watch_ends_with_1_where_a_budget_is_passed(tmp_path: Path) -> None:
    program = tmp_path / "aws"
    program.write_text("#!/bin/sh\n[ \"$1\" = budgets ] && printf 'month\\t100\\t20\\t120\\n'\nexit 0\n")
    program.chmod(0o755)
    command = ["bash", str(ROOT / "docs/pipeline/watch.sh")]
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "month: limit 100, spent 20, forecast 120\n")
