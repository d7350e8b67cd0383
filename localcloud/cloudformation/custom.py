"""Custom resources: a function of the stack's creates, updates and deletes them.

moto gaps: it calls the function without waiting for what it says, and tells it of neither updates nor deletions.

Protocol: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/crpg-ref.html
"""

from __future__ import annotations

import json
import time
from typing import Any
from uuid import uuid4

from moto.core.common_models import CloudFormationModel

from localcloud.cloud.context import Cloud

PREFIX, KIND = "Custom::", "AWS::CloudFormation::CustomResource"
#: How long a response may come after its function has returned, in seconds, unless ServiceTimeout says otherwise. AWS
#: waits an hour.
PATIENCE_SECONDS = 10
#: How long the URL for the response is good, in seconds.
URL_SECONDS = 7_200


class FailedFunctionError(ValueError):
    """The function was called, and failed, said that it failed, or did not respond.

    Attributes:
        response: What it responded; empty if it did not.
        resource: What it was to create, which a roll-back asks it to delete; None for an update or a deletion.
    """

    def __init__(self, message: str, response: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.response = response or {}
        self.resource: CustomResource | None = None


class CustomResource(CloudFormationModel):
    """What a function has made."""

    cloud: Cloud

    def __init__(self, about: dict[str, str], properties: dict[str, Any], response: dict[str, Any]) -> None:
        self.about, self.properties = about, properties
        self.physical_resource_id = str(response.get("PhysicalResourceId") or about["LogicalResourceId"])
        self.data = response.get("Data") or {}

    @classmethod
    def cloudformation_type(cls) -> str:
        """Return the type's name; those of users begin with `PREFIX`."""
        return KIND

    @classmethod
    def cloudformation_name_type(cls) -> str:
        """No property names a custom resource."""
        return ""

    @classmethod
    def create_from_cloudformation_json(  # type: ignore[override]  # moto gives them by place
        cls, _name: str, body: dict[str, Any], _account: str, _region: str, **context: Any
    ) -> CustomResource:
        """Let the function create it.

        Raises:
            FailedFunctionError: It failed, said so, or did not respond. It may have created something all the same.
            ValueError: The service token is not a function.
        """
        about = {
            "StackId": context["StackId"],
            "LogicalResourceId": context["LogicalId"],
            "ResourceType": context["ResourceType"],
        }
        properties = _texts(body["Properties"])
        try:
            response = _call(cls.cloud, {"RequestType": "Create", **about}, properties)
        except FailedFunctionError as error:
            error.resource = cls(about, properties, error.response)
            raise
        return cls(about, properties, response)

    @classmethod
    def update_from_cloudformation_json(
        cls, original: CustomResource, _name: str, body: dict[str, Any], _account: str, _region: str
    ) -> CustomResource:
        """Let the function update it; a new physical id means that it replaced it, and the old one is deleted."""
        properties = _texts(body["Properties"])
        request = {
            "RequestType": "Update",
            **original.about,
            "PhysicalResourceId": original.physical_resource_id,
            "OldResourceProperties": original.properties,
        }
        updated = cls(original.about, properties, _call(cls.cloud, request, properties))
        if updated.physical_resource_id != original.physical_resource_id:
            original.delete()
        return updated

    def delete(self, _account: str = "", _region: str = "") -> None:
        """Let the function delete it."""
        request = {"RequestType": "Delete", **self.about, "PhysicalResourceId": self.physical_resource_id}
        _call(self.cloud, request, self.properties)

    def get_cfn_attribute(self, name: str) -> Any:
        """Return what the function gave as data.

        Raises:
            ValueError: It gave nothing of that name.
        """
        if name not in self.data:
            raise ValueError(f"the function gave no {name}")
        return self.data[name]


def _texts(node: Any) -> Any:
    """Properties as CloudFormation sends them: everything plain is a text."""
    if isinstance(node, dict):
        return {key: _texts(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_texts(item) for item in node]
    return str(node).lower() if isinstance(node, bool) else str(node)


def _call(cloud: Cloud, request: dict[str, Any], properties: dict[str, Any]) -> dict[str, Any]:
    """Call the function, and wait for its response in a bucket that is there meanwhile.

    Raises:
        ValueError: The service token is not a function.
        FailedFunctionError: The function failed, said so, or did not respond.
    """
    token = properties.get("ServiceToken", "")
    if ":lambda:" not in token:
        raise ValueError(f"the local cloud calls only functions for custom resources, not {token or 'nothing'}")
    s3, bucket, key = cloud.client("s3"), f"cloudformation-custom-resource-response-{uuid4().hex[:12]}", "response"
    s3.create_bucket(Bucket=bucket)
    try:
        url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=URL_SECONDS)
        event = {
            **request,
            "ResponseURL": url,
            "RequestId": str(uuid4()),
            "ServiceToken": token,
            "ResourceProperties": properties,
        }
        invoked = cloud.client("lambda").invoke(FunctionName=token, Payload=json.dumps(event))
        payload = invoked["Payload"].read().decode()
        if "FunctionError" in invoked:
            raise FailedFunctionError(f"the function {token} failed: {payload}")
        response = _wait(s3, bucket, key, float(properties.get("ServiceTimeout", PATIENCE_SECONDS)))
    finally:
        s3.delete_object(Bucket=bucket, Key=key)
        s3.delete_bucket(Bucket=bucket)
    if response is None:
        message = f"the function {token} returned, but sent no response to the ResponseURL of its event"
        raise FailedFunctionError(message)
    if response.get("Status") != "SUCCESS":
        reason = response.get("Reason") or "it gave no reason"
        message = f"Received response status [FAILED] from custom resource. Message returned: {reason}"
        raise FailedFunctionError(message, response)
    return response


def _wait(s3: Any, bucket: str, key: str, seconds: float) -> dict[str, Any] | None:
    end = time.monotonic() + seconds
    while True:
        if s3.list_objects_v2(Bucket=bucket).get("KeyCount"):
            response: dict[str, Any] = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
            return response
        if time.monotonic() >= end:
            return None
        time.sleep(0.1)


def install(cloud: Cloud) -> None:
    """Give custom resources the cloud whose functions they call."""
    CustomResource.cloud = cloud
