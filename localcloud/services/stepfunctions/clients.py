"""How a state machine calls services: through the cloud's endpoint, as its role.

moto gap: its interpreter calls another server, as nobody.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import boto3
from botocore.config import Config
from moto.stepfunctions.parser.asl.utils import boto_client

from localcloud.access import sessions
from localcloud.cloud.context import Cloud
from localcloud.hooks import replace

SESSION = "states"
#: The interpreter waits for a function for as long as it runs, and retries are the state machine's own.
SETTINGS = Config(parameter_validation=False, retries={"total_max_attempts": 1}, read_timeout=None)


@replace(boto_client, "boto_client_for")
def _client(cloud: Cloud, region: str, service: str, state_credentials: Any = None) -> Any:
    variables = sessions.environment(cloud, state_credentials.role_arn, SESSION) if state_credentials else {}
    if not variables:
        return cloud.client(service)
    session: Any = boto3.session.Session(
        variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"], variables["AWS_SESSION_TOKEN"], region
    )
    client = session.client(service, endpoint_url=cloud.environment()["AWS_ENDPOINT_URL"], config=SETTINGS)
    client.meta.events.register("after-call", _name_request)
    return client


def _name_request(parsed: dict[str, Any], **_: Any) -> None:
    """Give each answer the id of a request, which the interpreter repeats when it tells of an error."""
    parsed["ResponseMetadata"].setdefault("RequestId", str(uuid4()))
