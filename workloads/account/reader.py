"""What there is in the account: each question is asked once, by a read-only operation, whoever needs the answer."""

from __future__ import annotations

import json
import re
import threading
from concurrent.futures import Future
from functools import cached_property
from typing import Any, Protocol

import boto3
from botocore import xform_name
from botocore.exceptions import ClientError

from contract.errors import InputError
from workloads.aws import asking_aws

Json = dict[str, Any]

#: Services of boto3 whose name in IAM is another one.
_SERVICES = {"es": "opensearch", "servicequotas": "service-quotas", "timestream": "timestream-write"}
#: Permissions of IAM whose operation has another name.
_OPERATIONS = {"s3:ListBucket": "ListObjectsV2"}
#: Answers of which only the first page is of interest.
_FIRST_PAGE = {"s3:ListBucket"}
_DENIED = re.compile("AccessDenied|UnauthorizedOperation|AuthorizationError|NotAuthorized")
_ABSENT = re.compile(r"NotFound|NoSuch|NonExistent|NotExist|Malformed|^404$|InvalidType|InvalidInstanceType")
_ABSENT_IN_WORDS = re.compile("does not exist|not found", re.IGNORECASE)


class NotPermittedError(InputError):
    """The credentials do not allow an operation.

    Attributes:
        permission: What they lack, as IAM calls it.
    """

    def __init__(self, permission: str) -> None:
        super().__init__(f"{permission}: The credentials do not allow this. Add it to their policy.")
        self.permission = permission


class Reader(Protocol):
    """Answers questions about an account."""

    def ask(self, permission: str, **parameters: Any) -> Json:
        """Return the answer of an operation, as `Account.ask` does."""

    def find(self, permission: str, **parameters: Any) -> Json | None:
        """Return the answer of an operation about one thing, as `Account.find` does."""


class Account:
    """An account in one region, with the current credentials.

    Attributes:
        number: The account's number.
        region: The region.
    """

    def __init__(self, session: boto3.Session | None = None) -> None:
        """Ask who the credentials belong to.

        Raises:
            InputError: There are no credentials or no region, or AWS does not accept them.
            UnavailableError: AWS cannot be reached, or the credentials have expired.
        """
        self._session: Any = session or boto3.Session()
        self._lock = threading.Lock()
        self._clients: dict[str, Any] = {}
        self._answers: dict[str, Future[Json]] = {}
        with asking_aws("Credentials"):
            self.number: str = self._client("sts").get_caller_identity()["Account"]
            self.region: str = self._client("ec2").meta.region_name

    def ask(self, permission: str, **parameters: Any) -> Json:
        """Return the answer of an operation, with all of its pages; of `s3:ListBucket`, the first.

        Args:
            permission: The operation by the permission that it needs, such as `ec2:DescribeVpcs`.
            parameters: Its parameters, as boto3 takes them.

        Raises:
            NotPermittedError: The credentials do not allow it.
            ClientError: AWS answers with another error.
        """
        question = json.dumps([permission, parameters], sort_keys=True)
        with self._lock:
            future = self._answers.get(question)
            is_first = future is None
            if future is None:
                future = self._answers[question] = Future()
        if is_first:
            try:
                future.set_result(self._send(permission, parameters))
            except BaseException as error:  # noqa: BLE001 - whoever waits for the answer gets the error, too
                future.set_exception(error)
        return future.result()

    def find(self, permission: str, **parameters: Any) -> Json | None:
        """Return the answer of an operation about one thing; None if there is no such thing.

        Raises:
            NotPermittedError: The credentials do not allow it.
            ClientError: AWS answers with another error.
        """
        try:
            return self.ask(permission, **parameters)
        except ClientError as error:
            details = error.response["Error"]
            code, message = str(details["Code"]), str(details.get("Message", ""))
            if _ABSENT.search(code) or (code == "ValidationError" and _ABSENT_IN_WORDS.search(message)):
                return None
            raise

    def _send(self, permission: str, parameters: Json) -> Json:
        service, _, operation = permission.partition(":")
        client = self._client(_SERVICES.get(service, service))
        name = xform_name(_OPERATIONS.get(permission, operation))
        try:
            if client.can_paginate(name) and permission not in _FIRST_PAGE:
                response: Json = client.get_paginator(name).paginate(**parameters).build_full_result()
            else:
                response = getattr(client, name)(**parameters)
        except ClientError as error:
            if is_denied(error):
                raise NotPermittedError(permission) from error
            raise
        return response

    def _client(self, service: str) -> Any:
        with self._lock:  # a session is not safe to use from several threads; a client is
            if service not in self._clients:
                self._clients[service] = self._session.client(service)
            return self._clients[service]

    @cached_property
    def zones(self) -> list[str]:
        """The zones of the region, in the order in which CloudFormation counts them."""
        zones = self.ask("ec2:DescribeAvailabilityZones")["AvailabilityZones"]
        return sorted(
            zone["ZoneName"]
            for zone in zones
            if zone.get("ZoneType", "availability-zone") == "availability-zone" and zone["State"] == "available"
        )

    def deployed(self, stack: str) -> set[str]:
        """Return the logical ids of what a stack has already."""
        listed = self.find("cloudformation:ListStackResources", StackName=stack) or {"StackResourceSummaries": []}
        return {
            resource["LogicalResourceId"]
            for resource in listed["StackResourceSummaries"]
            if not resource["ResourceStatus"].startswith("DELETE")
        }


def is_denied(error: ClientError) -> bool:
    """Return whether an answer says that the credentials do not allow a request."""
    code = str(error.response["Error"].get("Code", ""))
    return bool(_DENIED.search(code)) or code == "403"
