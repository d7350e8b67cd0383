"""The code of the workloads as one bundle in S3, and how a container gets from there to a command.

The CDK uploads what `infra.packing` packs, under the hash of its content. A person may put the bundle into S3 instead,
as the console's templates ask: `groundwork bundle code.zip` writes it. Nothing is built with Docker.
"""

from __future__ import annotations

from functools import cached_property

from aws_cdk import Annotations, Aws, CfnMapping, Fn, Stack, aws_iam, aws_s3_assets
from constructs import Construct

from infra.packing import BUNDLE, packed

#: What a container runs first, part of the template: it fetches the bundle, whose `workloads.bootstrap` does the rest.
LOADER = """\
import importlib.util, os, runpy, sys
bucket, key = os.environ["GROUNDWORK_CODE"].removeprefix("s3://").split("/", 1)
if importlib.util.find_spec("boto3"):
    import boto3
    boto3.client("s3").download_file(bucket, key, "code.zip")
else:  # signed here (Signature Version 4), with the credentials that ECS lends the container
    import datetime, hashlib, hmac, json, shutil, urllib.parse, urllib.request
    lender = "http://169.254.170.2" + os.environ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"]
    lent, region = json.load(urllib.request.urlopen(lender)), os.environ["AWS_DEFAULT_REGION"]
    host = f"s3.{region}.amazonaws.com" + (".cn" if region.startswith("cn-") else "")
    path, now = urllib.parse.quote(f"/{bucket}/{key}"), datetime.datetime.now(datetime.UTC)
    time, scope = f"{now:%Y%m%dT%H%M%SZ}", f"{now:%Y%m%d}/{region}/s3/aws4_request"
    headers = {"host": host, "x-amz-content-sha256": hashlib.sha256().hexdigest(), "x-amz-date": time}
    headers["x-amz-security-token"], names = lent["Token"], "host;x-amz-content-sha256;x-amz-date;x-amz-security-token"
    lines = ["GET", path, "", *(f"{name}:{value}" for name, value in headers.items()), "", names]
    request = "\\n".join([*lines, headers["x-amz-content-sha256"]])
    text = "\\n".join(["AWS4-HMAC-SHA256", time, scope, hashlib.sha256(request.encode()).hexdigest()])
    signature = ("AWS4" + lent["SecretAccessKey"]).encode()
    for word in [*scope.split("/"), text]:
        signature = hmac.digest(signature, word.encode(), "sha256")
    credential = f"Credential={lent['AccessKeyId']}/{scope}, SignedHeaders={names}, Signature={signature.hex()}"
    headers["authorization"] = "AWS4-HMAC-SHA256 " + credential
    with urllib.request.urlopen(urllib.request.Request(f"https://{host}{path}", headers=headers)) as answer:
        with open("code.zip", "wb") as file:
            shutil.copyfileobj(answer, file)
sys.path.insert(0, "code.zip")
runpy.run_module("workloads.bootstrap", run_name="__main__")
"""


class CodeBundle(Construct):
    """The workloads' code, and the wheels that AWS's images lack, as a zip file in S3.

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
            bundle = packed(BUNDLE)
            if bundle.missing:
                Annotations.of(self).add_warning_v2("groundwork:no-wheels", bundle.missing)
            asset = aws_s3_assets.Asset(self, "Bundle", path=str(bundle.path))
            location = f"{asset.s3_bucket_name}/{asset.s3_object_key}"
            self.url = f"s3://{location}"
        self.arn = f"arn:{Aws.PARTITION}:s3:::{location}"

    @cached_property
    def loader(self) -> str:
        """The Python program that a container runs first; the template holds it once for all containers."""
        stack, mapping = Stack.of(self), {"Python": {"Loader": LOADER}}
        texts = stack.node.try_find_child("Container") or CfnMapping(stack, "Container", mapping=mapping, lazy=False)
        assert isinstance(texts, CfnMapping)  # noqa: S101 - for the type checker
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
