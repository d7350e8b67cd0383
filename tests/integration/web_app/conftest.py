"""WebApp on a local cloud: the console's template, with a bundle of the code in a bucket, as a person deploys it."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from localcloud import LocalCloud

PROJECT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """One for all modules here, which look at one stack."""
    with LocalCloud(tmp_path_factory.mktemp("cloud")) as running:
        yield running


@pytest.fixture(scope="session")
def outputs(cloud: LocalCloud, code_bundle: Path) -> dict[str, str]:
    cloud.folder.chmod(0o755)  # Apache's children, who are nobody if root runs the tests
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="mine")
    s3.upload_file(str(code_bundle), "mine", "code-1.zip")
    return deploy(cloud, "WebApp", Email="ops@example.com")


def deploy(cloud: LocalCloud, stack: str, **parameters: str) -> dict[str, str]:
    """Make a stack from the console's template; its outputs."""
    given = {"Code": "s3://mine/code-1.zip", **parameters}
    cloud.client("cloudformation").create_stack(
        StackName=stack,
        TemplateBody=(PROJECT / "cloudformation" / "web-app.yaml").read_text(),
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in given.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    return cloud.outputs(stack)


@pytest.fixture(scope="module")
def storefront(cloud: LocalCloud, outputs: dict[str, str]) -> Callable[..., str]:
    """Runs `groundwork storefront` with the stack's outputs, on generated data; gives what it says."""

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "workloads", "storefront", *arguments, "--stack", "WebApp"],
            env={name: value for name, value in os.environ.items() if name != "GROUNDWORK_DATA"}
            | cloud.environment()
            | {"STOREFRONT_DATABASE_CA": str(cloud.certificate_authority)},
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
