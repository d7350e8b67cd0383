"""How properties of CloudFormation become parameters of API Gateway, where more than a name differs."""

from __future__ import annotations

import json

from localcloud.cloud.context import Cloud
from localcloud.cloudformation.translation import Properties
from localcloud.services.apigateway import documents


def account(values: Properties) -> Properties:
    """Set the role for logs by a patch, which is the only way to change an account."""
    role = values.get("CloudWatchRoleArn")
    patch = {"op": "replace", "path": "/cloudwatchRoleArn", "value": role or ""}
    return {**values, "PatchOperations": [patch]}


def api(cloud: Cloud, values: Properties) -> Properties:
    """Import the document that a template has or names; of what both say, the template's own properties count."""
    body, place = values.pop("Body", None), values.pop("BodyS3Location", None)
    settings: Properties = {
        name: values.pop(name) for name in ("FailOnWarnings", "Mode", "Parameters") if name in values
    }
    if place:
        body = _stored(cloud, place)
    if body is None:
        return values
    text = body if isinstance(body, str | bytes) else json.dumps(body, default=str)
    document = documents.with_settings(documents.read(text), values)
    imported: Properties = {"Mode": "overwrite", **settings, "Body": json.dumps(document, default=str).encode()}
    return {**values, "Name": document["info"].get("title", ""), "Definition": imported}


def _stored(cloud: Cloud, place: Properties) -> bytes:
    """Read the document in a bucket that a template names.

    Raises:
        ValueError: The object has another ETag than the template says.
    """
    version: Properties = {"VersionId": place["Version"]} if place.get("Version") else {}
    stored = cloud.client("s3").get_object(Bucket=place["Bucket"], Key=place["Key"], **version)
    expected = str(place.get("ETag") or "").strip('"')
    if expected and expected != stored["ETag"].strip('"'):
        raise ValueError(f"s3://{place['Bucket']}/{place['Key']} has the ETag {stored['ETag']}, and not {expected}")
    body: bytes = stored["Body"].read()
    return body


def deployment(values: Properties) -> Properties:
    """Name the settings of the stage that a deployment makes, as the API does."""
    stage = values.pop("StageDescription", None) or {}
    renamed = {"Description": "StageDescription"}
    return {**values, **{renamed.get(name, name): value for name, value in stage.items()}}


def release_stage(cloud: Cloud, values: Properties, identifier: str) -> None:
    """Delete the stage that a deployment has made, unless it serves another one by now."""
    if values.get("StageName"):
        api = cloud.client("apigateway")
        place = {"restApiId": values["RestApiId"], "stageName": values["StageName"]}
        if api.get_stage(**place)["deploymentId"] == identifier:
            api.delete_stage(**place)


def method(values: Properties) -> Properties:
    """Put the responses of the integration beside it, because the API takes each by a call of its own."""
    integration = dict(values.get("Integration") or {})
    responses = integration.pop("IntegrationResponses", [])
    apart = {"Integration": integration} if integration else {}
    return {**values, **apart, **({"IntegrationResponses": responses} if responses else {})}
