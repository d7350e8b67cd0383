"""Removes a deployed stack: says what stays and what that costs, empties buckets that may go, then `cdk destroy`.

What becomes of a resource stands in the template that was deployed last. A bucket is emptied only if both keys to the
data (`allow_data_deletion` and the stack's `delete_data`) were turned then, and are turned in the settings at hand.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from infra.cost.estimate import PRICES, TYPES, Price, UnknownCostError, estimate
from infra.errors import InfraError

SNAPSHOTS = {"AWS::RDS::DBInstance": "rds.backup", "AWS::Neptune::DBCluster": "neptune.backup"}
KEYS_OF_A_REQUEST = 1000  # S3 deletes as many at once


class RemovalError(InfraError):
    """AWS or the CDK could not remove the stack; the message says why."""

    exit_code = 1


@dataclass(frozen=True)
class Kept:
    """A resource that stays when its stack goes.

    Attributes:
        name: Logical id.
        kind: Resource type.
        identifier: What AWS calls it.
        month: USD a month, used or not; nothing where the price file does not know.
        uses: What it bills besides, by what it holds.
        is_snapshot: Whether a final snapshot of it stays, and not itself.
    """

    name: str
    kind: str
    identifier: str
    month: float | None
    uses: list[Price]
    is_snapshot: bool


class Deployed:
    """A stack as it was deployed.

    Attributes:
        kept: What stays.
        filled: Buckets that go, with the number of objects and versions in them, where there are any.
    """

    def __init__(self, stack: str) -> None:
        """Ask CloudFormation and S3 about it.

        Raises:
            InfraError: It is not deployed, or not by the CDK, or AWS cannot be asked.
        """
        self.stack = stack
        try:
            self._cloudformation: Any = boto3.client("cloudformation")
            self._s3: Any = boto3.client("s3")
            found = self._cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
            self._id = found["StackId"]
            template = self._cloudformation.get_template(StackName=stack)["TemplateBody"]
            if not isinstance(template, dict):
                raise InfraError(f"{stack} was deployed from a file, not by the CDK: delete it where it was created.")
            self._resources = template["Resources"]
            self.identifiers: dict[str, str] = {
                each["LogicalResourceId"]: each.get("PhysicalResourceId", "")
                for page in self._cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
                for each in page["StackResourceSummaries"]
            }
            self.kept = list(self._kept(template))
            self.filled = {bucket: number for bucket in self._going_buckets() if (number := self._objects(bucket))}
        except ClientError as error:
            if "does not exist" in str(error):
                raise InfraError(
                    f"{stack} is not deployed in this account and region. For a local cloud: "
                    'eval "$(groundwork local env)"'
                ) from None
            raise InfraError(f"AWS refuses: {error}") from error
        except BotoCoreError as error:
            raise InfraError(f"AWS cannot be asked about {stack}: {error}") from error

    def empty(self) -> None:
        """Delete the objects, with all their versions, of the buckets that go.

        Raises:
            RemovalError: S3 refuses.
        """
        for bucket in self.filled:
            keys = [{"Key": key, "VersionId": version} for key, version in self._versions(bucket)]
            for start in range(0, len(keys), KEYS_OF_A_REQUEST):
                chunk = {"Objects": keys[start : start + KEYS_OF_A_REQUEST], "Quiet": True}
                try:
                    refused = self._s3.delete_objects(Bucket=bucket, Delete=chunk).get("Errors")
                except (BotoCoreError, ClientError) as error:
                    raise RemovalError(f"{bucket} could not be emptied: {error}") from error
                if refused:
                    raise RemovalError(f"{bucket} could not be emptied: {refused[0]['Key']}: {refused[0]['Message']}")

    def destroy(self, context: Mapping[str, str], say: Callable[[str], None]) -> None:
        """Run `cdk destroy`, and see that the stack is gone.

        Args:
            context: CDK context.
            say: Called with each line of the CDK's output.

        Raises:
            InfraError: There is no CDK here.
            RemovalError: It failed; the message says which resource and why.
        """
        command = [_cdk(), "destroy", self.stack, "--force", "--no-notices", "--no-color", "--ci"]
        for key, value in context.items():
            command += ["--context", f"{key}={value}"]
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])  # for `python app.py`
        environment = os.environ | {"PATH": path, "CDK_VALIDATION": "false"}  # what goes need not be checked
        running = subprocess.Popen(
            command,
            text=True,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        lines = []
        with running as process:
            for line in process.stdout or ():
                lines.append(line.rstrip())
                say(line.rstrip())
        after = self._cloudformation.describe_stacks(StackName=self._id)["Stacks"][0]
        if running.returncode or after["StackStatus"] != "DELETE_COMPLETE":
            why = after.get("StackStatusReason") or " ".join(lines[-3:])
            raise RemovalError(f"{self.stack} is not removed ({after['StackStatus']}): {why}")

    def _kept(self, template: dict[str, Any]) -> Iterator[Kept]:
        try:
            charges = estimate(self.stack, template).charges
        except UnknownCostError:
            charges = None
        for name, body in self._resources.items():
            policy, kind = body.get("DeletionPolicy", "Delete"), body["Type"]
            if policy == "Delete" or name not in self.identifiers:
                continue
            snapshot = policy == "Snapshot"
            month = None if charges is None else sum(each.usd for each in charges if each.resource == name)
            uses = [SNAPSHOTS[kind]] if snapshot and kind in SNAPSHOTS else TYPES.get(kind, {}).get("use", [])
            held = [PRICES[use] for use in uses if "month" in PRICES[use].unit]
            yield Kept(name, kind, self.identifiers[name], 0.0 if snapshot else month, held, snapshot)

    def _going_buckets(self) -> Iterator[str]:
        for name, body in self._resources.items():
            going = body.get("DeletionPolicy", "Delete") == "Delete"
            if body["Type"] == "AWS::S3::Bucket" and going and self.identifiers.get(name):
                yield self.identifiers[name]

    def _objects(self, bucket: str) -> int:
        try:
            return sum(1 for _ in self._versions(bucket))
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchBucket":  # a removal that failed half way has deleted it
                return 0
            raise

    def _versions(self, bucket: str) -> Iterator[tuple[str, str]]:
        for page in self._s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            for each in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                yield each["Key"], each["VersionId"]


def _cdk() -> str:
    """The CDK's command line: the project's own, or the one on PATH."""
    if not Path("cdk.json").exists():
        raise InfraError(f"{Path.cwd()} has no cdk.json: run this in the project's folder.")
    search = os.pathsep.join([str(Path("node_modules/.bin").resolve()), os.environ.get("PATH", "")])
    program = shutil.which("cdk", path=search)
    if not program:
        raise InfraError("The CDK command line is missing: run `npm ci` in the project's folder.")
    return program
