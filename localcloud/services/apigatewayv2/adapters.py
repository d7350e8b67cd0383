"""How properties of CloudFormation become parameters of API Gateway, where more than a name differs."""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError

from localcloud.cloud.context import Cloud
from localcloud.cloudformation.translation import Properties
from localcloud.services.apigatewayv2 import documents


def api(cloud: Cloud, values: Properties) -> Properties:
    """Give an API with a document only the document, whose title is its name, and in it the stack's tags.

    Raises:
        ValueError: The document cannot be read from S3.
        BadRequestException: It is neither JSON nor YAML.
    """
    values = dict(values)
    location = values.pop("BodyS3Location", None)
    if location:
        values["Body"] = _fetched(cloud, location)
    if "Body" not in values:
        return values
    values.pop("Name")  # what CloudFormation made up
    tags = values.pop("Tags", None) or {}
    body = values["Body"]
    document = documents.parsed(body) if isinstance(body, str) else body
    if isinstance(document, dict) and tags:
        own = document.get("tags") or []
        more = [{"name": key, documents.TAG: value} for key, value in tags.items()]
        document = {**document, "tags": [*more, *own]}
    return {**values, "Body": json.dumps(document, default=str)}


def _fetched(cloud: Cloud, location: Properties) -> str:
    """Return a document that is in S3."""
    asked: dict[str, Any] = {"Bucket": location["Bucket"], "Key": location["Key"]}
    if "Version" in location:
        asked["VersionId"] = location["Version"]
    if "Etag" in location:
        asked["IfMatch"] = location["Etag"]
    try:
        content: bytes = cloud.client("s3").get_object(**asked)["Body"].read()
        return content.decode()
    except (ClientError, UnicodeDecodeError) as error:
        place = f"s3://{location['Bucket']}/{location['Key']}"
        raise ValueError(f"the document of the API cannot be read from {place}: {error}") from error
