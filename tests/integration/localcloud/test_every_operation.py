"""Every operation of every service answers, or refuses with an error of the service's own.

Each is asked for with what botocore's model requires, and then with a name for everything that can be named; nothing of
these names exists but what an earlier request has created. The requests are the same in each run. No operation is left
out: what starts an engine starts a real one, which ends with the cloud.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.model import OperationModel, ServiceModel

from localcloud import LocalCloud
from localcloud.services import ROOMS, Room, page
from tests.model_requests import parameters

#: boto3's names of the services of rooms where they differ, and services that have no room.
CLIENTS = {
    "awslambda": "lambda",
    "servicequotas": "service-quotas",
    "timestream": "timestream-write",
    "timestreaminfluxdb": "timestream-influxdb",
}
WITHOUT_ROOM = ("cloudformation", "dynamodbstreams", "sts", "timestream-query")
#: Errors that all services have, https://docs.aws.amazon.com/AWSEC2/latest/APIReference/CommonErrors.html, and the name
#: for a body that is not JSON, https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html.
COMMON = {
    "AccessDeniedException",
    "InvalidAction",
    "InvalidParameterCombination",
    "InvalidParameterValue",
    "MissingParameter",
    "SerializationException",
    "UnknownOperationException",
    "ValidationError",
    "ValidationException",
}
#: The form of EC2's errors that name a resource. Its model has no errors at all, its documentation lists them:
#: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html.
OF_EC2 = re.compile(
    r"Invalid[A-Z]\w+\.(NotFound|NotFoundException|Malformed|AlreadyExistsException|Conflict|Duplicate|Format|Unknown)"
)
#: Other errors of services whose models lack them.
NOT_IN_MODELS = {
    "ec2": {
        "DefaultVpcAlreadyExists",
        "InvalidID",
        "InvalidInput",
        "InvalidParameter",
        "InvalidParameterDependency",
        "InvalidServiceName",
        "LoadBalancerNotFound",
        "NatGatewayNotFound",
    },
    "s3": {  # https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
        "404",  # a response to HEAD has no body, so boto3 has only the status
        "IllegalVersioningConfigurationException",
        "MalformedPolicy",
        "MalformedXML",
        "MethodNotAllowed",
        "MissingRequestBodyError",
    },
    # The code of the query protocol, which SQS keeps for older clients, and boto3 prefers.
    "sqs": {"AWS.SimpleQueueService.NonExistentQueue"},
}
#: Members that boto3 cannot send without a package that is not installed: awscrt, for signatures of version 4A.
NOT_SENT = {"PutEvents": "EndpointId"}
ABSENT_HERE = "is not there in the local cloud"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """A cloud that no other module uses: what is asked for here changes settings of the whole account."""
    with LocalCloud(tmp_path_factory.mktemp("cloud")) as running:
        yield running


class Caller:
    """Asks for operations of one service and keeps what is wrong with the answers."""

    def __init__(self, cloud: LocalCloud, service: Any) -> None:
        environment = cloud.environment()
        self.client = boto3.client(
            service,
            region_name=environment["AWS_REGION"],
            endpoint_url=cloud.endpoint,
            aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
            config=Config(inject_host_prefix=False, retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
        )
        self.model: ServiceModel = self.client.meta.service_model
        self.faults: list[str] = []
        self.refused: set[str] = set()
        self._method = {operation: method for method, operation in self.client.meta.method_to_api_mapping.items()}
        self._errors = {shape.name for shape in self.model.error_shapes} | NOT_IN_MODELS.get(service, set()) | COMMON
        self._errors |= {shape.metadata.get("error", {}).get("code", shape.name) for shape in self.model.error_shapes}
        self._response: dict[str, Any] = {}
        self.client.meta.events.register("before-parse", self._keep)

    def _keep(self, response_dict: dict[str, Any], **_: Any) -> None:
        self._response = response_dict

    def ask(self, operation: OperationModel, request: dict[str, Any]) -> None:
        """Ask for an operation."""
        self._response = {}
        try:
            getattr(self.client, self._method[operation.name])(**request)
        except ClientError as error:
            self._judge(operation, request, error.response["Error"])
        body = self._response["body"]
        if isinstance(body, bytes) and b"<html" in body.lower():
            self.faults.append(f"{operation.name}({request}) answers HTML")

    def _judge(self, operation: OperationModel, request: dict[str, Any], error: Any) -> None:
        code, message, status = error["Code"], error.get("Message") or "", self._response["status_code"]
        if ABSENT_HERE in message:
            self.refused.add(operation.name)
        is_own = code in self._errors or (self.model.service_name == "ec2" and OF_EC2.fullmatch(code))
        if not is_own or not 400 <= status < 500:
            self.faults.append(f"{operation.name}({request}) answers {status} {code}: {message}")


@pytest.mark.parametrize("service", [*ROOMS, *WITHOUT_ROOM])
def test_every_operation_answers_or_refuses_in_the_services_own_words(cloud: LocalCloud, service: str) -> None:
    """Those that the documentation counts as there are not refused as absent."""
    caller = Caller(cloud, CLIENTS.get(service, service))
    counted = page.claimed(Room(f"localcloud.services.{service}"), service)[1] if service in ROOMS else []
    for name in sorted(caller.model.operation_names):
        operation = caller.model.operation_model(name)
        least, naming = (parameters(operation, naming=naming) for naming in (False, True))
        naming.pop(NOT_SENT.get(name, ""), None)
        for request in (least, naming) if naming != least else (least,):
            caller.ask(operation, request)
    assert caller.faults == []
    assert caller.refused & {*counted} == set()
