"""The code of the workloads as one bundle in S3, and how a container gets from there to a command.

The CDK packs the folders and uploads them under the hash of their content. A person may put the bundle into S3 instead,
as the console's templates ask. Nothing is built with Docker.
"""

from functools import cached_property

from aws_cdk import Aws, CfnMapping, Fn, IgnoreMode, Stack, aws_iam, aws_s3_assets
from constructs import Construct

from infra import PROJECT

PACKAGES = ("contract", "terminal", "workloads")  # what a container runs, and what that imports

#: What a container runs first, part of the template: it fetches the bundle, whose `workloads.bootstrap` does the rest.
LOADER = """\
import importlib.util, os, runpy, subprocess, sys
if not importlib.util.find_spec("boto3"):
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "boto3"], check=True)
import boto3
bucket, key = os.environ["GROUNDWORK_CODE"].removeprefix("s3://").split("/", 1)
boto3.client("s3").download_file(bucket, key, "code.zip")
sys.path.insert(0, "code.zip")
runpy.run_module("workloads.bootstrap", run_name="__main__")
"""


def _included() -> list[str]:
    """Return the patterns of what the bundle holds, as exceptions from what it leaves out."""
    return [pattern for package in PACKAGES for pattern in (f"!{package}", f"!{package}/**")]


class CodeBundle(Construct):
    """The folders of `PACKAGES` as a zip file in S3.

        code = CodeBundle(self, "CodeBundle", self.settings.code)
        role.add_to_policy(code.reading())
        ... command=code.command("train", "digit-classifier"), environment=code.environment()

    Attributes:
        url: Its address, `s3://bucket/key`, for the environment variable GROUNDWORK_CODE of what runs it.
        arn: The object's ARN.
    """

    def __init__(self, scope: Construct, name: str, uploaded: str) -> None:
        """Pack the folders, unless the bundle has been uploaded already.

        Args:
            scope: Where it stands.
            name: Its construct's name.
            uploaded: The address of the bundle in S3; empty if the CDK is to pack and upload it.
        """
        super().__init__(scope, name)
        if uploaded:
            self.url, location = uploaded, Fn.select(1, Fn.split("s3://", uploaded))
        else:
            asset = aws_s3_assets.Asset(
                self,
                "Bundle",
                path=str(PROJECT),
                exclude=["*", *_included(), "**/__pycache__", "**/*.pyc"],
                ignore_mode=IgnoreMode.GIT,
            )
            location = f"{asset.s3_bucket_name}/{asset.s3_object_key}"
            self.url = f"s3://{location}"
        self.arn = f"arn:{Aws.PARTITION}:s3:::{location}"

    @cached_property
    def loader(self) -> str:
        """The Python program that a container runs first; the template holds it once for all containers."""
        mapping = {"Python": {"Loader": LOADER}}
        texts = CfnMapping(Stack.of(self), "Container", mapping=mapping, lazy=False)
        return texts.find_in_map("Python", "Loader")

    def command(self, *arguments: str) -> list[str]:
        """Return a container's command that runs `python -m workloads ARGUMENTS` with the bundle's code."""
        return ["python", "-c", self.loader, *arguments]

    def environment(self, *, requirements: str = "") -> dict[str, str]:
        """Return the environment variables by which a container finds the bundle.

        Args:
            requirements: The file in the bundle that lists the packages to install; by default
                `workloads/requirements.txt`.
        """
        packages = {"GROUNDWORK_REQUIREMENTS": requirements} if requirements else {}
        return {"AWS_DEFAULT_REGION": Aws.REGION, "GROUNDWORK_CODE": self.url, **packages}

    def reading(self) -> aws_iam.PolicyStatement:
        """Return the permission to read it."""
        return aws_iam.PolicyStatement(actions=["s3:GetObject"], resources=[self.arn])
