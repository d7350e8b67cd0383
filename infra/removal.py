"""Remove a deployed stack: say what stays and what that costs, empty buckets that may go, and run `cdk destroy`.

The template that was deployed last says what becomes of a resource. A bucket is emptied only if both keys to the
data (`allow_data_deletion` and the stack's `delete_data`) were turned then, and are turned in the current settings.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's, which is not Python's
    HTTPClientError,
)

from contract.errors import GroundworkError, InputError, phrase
from contract.prices import PRICES, Price
from contract.services import service_error, unreachable
from infra.blocking import blockers
from infra.cost.estimate import TYPES, UnknownCostError, estimate
from terminal import cdk

SNAPSHOTS = {"AWS::RDS::DBInstance": "rds.backup", "AWS::Neptune::DBCluster": "neptune.backup"}
KEYS_OF_A_REQUEST = 1000  # S3 deletes as many at once


class RemovalError(GroundworkError):
    """AWS or the CDK could not remove the stack; the message says why."""


@contextmanager
def asking_aws(place: str) -> Iterator[None]:
    """Turn the errors of the AWS requests in this context into ours."""
    try:
        yield
    except ClientError as error:
        details, status = error.response["Error"], error.response["ResponseMetadata"]["HTTPStatusCode"]
        raise service_error(place, "AWS", status=status, code=details["Code"], message=details["Message"]) from error
    except (ConnectionError, HTTPClientError) as error:
        raise unreachable(place, "AWS", error, trust="AWS_CA_BUNDLE") from error
    except BotoCoreError as error:
        raise InputError(f"{place}: {phrase(error)}.") from error


@dataclass(frozen=True)
class Kept:
    """A resource that stays when its stack goes.

    Attributes:
        name: Logical id.
        kind: Resource type.
        identifier: What AWS calls it.
        month: USD a month, whether used or not; None if the price file does not say.
        uses: The prices that it bills for what it holds.
        is_snapshot: Whether a final snapshot stays instead of the resource.
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
        kept: The resources that stay.
        filled: The number of objects and versions by bucket, of the buckets that go and are not empty.
    """

    def __init__(self, stack: str) -> None:
        """Ask CloudFormation and S3 about the stack.

        Raises:
            InputError: It is not deployed, or not by the CDK, or AWS refuses.
            UnavailableError: AWS cannot be reached.
        """
        self.stack = stack
        with asking_aws(f"Stack {stack}"):
            self._cloudformation: Any = boto3.client("cloudformation")
            self._s3: Any = boto3.client("s3")
            self._id = self._find()
            template = self._cloudformation.get_template(StackName=stack)["TemplateBody"]
            if not isinstance(template, dict):
                raise InputError(
                    f"Stack {stack}: It was deployed from a file, not by the CDK. Delete it where it was created."
                )
            self._resources = template["Resources"]
            self.identifiers: dict[str, str] = {
                resource["LogicalResourceId"]: resource.get("PhysicalResourceId", "")
                for page in self._cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
                for resource in page["StackResourceSummaries"]
                if resource["ResourceStatus"] != "DELETE_COMPLETE"  # by the roll-back of a first deployment
            }
            self.kept = list(self._kept(template))
            self.filled = {bucket: number for bucket in self._going_buckets() if (number := self._objects(bucket))}

    def _find(self) -> str:
        """Return the id of the stack, by which CloudFormation still knows it after its deletion."""
        try:
            description = self._cloudformation.describe_stacks(StackName=self.stack)["Stacks"][0]
        except ClientError as error:
            if "does not exist" not in str(error):
                raise
            raise InputError(
                f"Stack {self.stack}: It is not deployed in this account and region. For a local cloud, run "
                'eval "$(groundwork local env)" first.'
            ) from None
        return str(description["StackId"])

    def blockers(self) -> list[str]:
        """Return what keeps the stack from being removed, each with the way out.

        Raises:
            InputError: AWS refuses a question.
            UnavailableError: AWS cannot be reached.
        """
        with asking_aws(f"Stack {self.stack}"):
            stack = self._cloudformation.describe_stacks(StackName=self._id)["Stacks"][0]
            return blockers(stack, self._resources, self.identifiers)

    def empty(self) -> None:
        """Delete the objects, with all their versions, of the buckets that go.

        Raises:
            InputError: S3 refuses the requests.
            RemovalError: S3 refuses an object.
            UnavailableError: S3 cannot be reached; the same command goes on.
        """
        for bucket in self.filled:
            with asking_aws(f"Bucket {bucket}"):
                keys = [{"Key": key, "VersionId": version} for key, version in self._versions(bucket)]
                for start in range(0, len(keys), KEYS_OF_A_REQUEST):
                    chunk = {"Objects": keys[start : start + KEYS_OF_A_REQUEST], "Quiet": True}
                    kept = self._s3.delete_objects(Bucket=bucket, Delete=chunk).get("Errors")
                    if kept:
                        raise RemovalError(
                            f"Bucket {bucket}: S3 does not delete {kept[0]['Key']}: {phrase(kept[0]['Message'])}."
                        )

    def destroy(self, context: Mapping[str, str], echo: Callable[[str], None]) -> None:
        """Run `cdk destroy`, and see that the stack is gone.

        Args:
            context: CDK context.
            echo: Called with each line of the CDK's output.

        Raises:
            InputError: There is no CDK here.
            RemovalError: It failed; the message says which resource and why.
            UnavailableError: AWS cannot be reached.
        """
        environment = os.environ | {"CDK_VALIDATION": "false"}  # what goes need not be checked
        finished = cdk.run("destroy", self.stack, "--force", context=context, environment=environment, say=echo)
        with asking_aws(f"Stack {self.stack}"):
            after = self._cloudformation.describe_stacks(StackName=self._id)["Stacks"][0]
        if finished.failed or after["StackStatus"] != "DELETE_COMPLETE":
            why = after.get("StackStatusReason") or finished.reason
            error = RemovalError(
                f"Stack {self.stack}: The stack is not removed ({after['StackStatus']}): {phrase(why)}."
            )
            error.advice = " ".join(f"{blocker}." for blocker in self.blockers())
            raise error

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
            month = None if charges is None else sum(charge.usd for charge in charges if charge.resource == name)
            uses = [SNAPSHOTS[kind]] if snapshot and kind in SNAPSHOTS else TYPES.get(kind, {}).get("use", [])
            prices = [PRICES[use] for use in uses if "month" in PRICES[use].unit]
            yield Kept(name, kind, self.identifiers[name], 0.0 if snapshot else month, prices, snapshot)

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
            for version in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                yield version["Key"], version["VersionId"]
