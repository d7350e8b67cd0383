"""Puts a token of InfluxDB into its secret: when CloudFormation makes or changes the stack, and when somebody calls it.

It reads the password of InfluxDB's first user, has the function `influxdb_token` make a token in InfluxDB's network,
and keeps the token in a secret of its own, which whoever writes reads. It runs outside the network, so that nothing
there keeps it from answering CloudFormation: in every case with success or a reason, before its own time is over. When
the stack goes, there is nothing to do: a token lives and dies with its InfluxDB.

To rotate the token, call it with an empty event. The token before stays valid until the next rotation.
"""

import json
import os
import urllib.error
import urllib.request
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

#: How long `influxdb_token` may take, in seconds; it ends before that.
TOKEN_SECONDS = int(os.environ["TOKEN_SECONDS"])
RESPONSE_SECONDS = 10

Json = dict[str, Any]

secrets: Any = boto3.client(
    "secretsmanager", config=Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 2})
)
# One attempt, because a second one would make a second token.
functions: Any = boto3.client(
    "lambda", config=Config(connect_timeout=3, read_timeout=TOKEN_SECONDS, retries={"total_max_attempts": 1})
)


class FailedError(Exception):
    """There is no new token; the message says why."""


def handler(event: Json, _context: Any) -> Json:
    """Rotate the token, and tell CloudFormation if it asked.

    Raises:
        FailedError: Somebody else asked, and there is no new token.
    """
    reason = ""
    try:
        if event.get("RequestType") != "Delete":
            rotate()
    except FailedError as error:
        reason = str(error)
    except Exception as error:  # noqa: BLE001 - CloudFormation would wait for an hour
        reason = f"{type(error).__name__}: {error}"
    print(json.dumps({"event": event.get("RequestType", "rotation"), "failed": reason or None}))
    if "ResponseURL" in event:
        respond(event, reason)
    elif reason:
        raise FailedError(reason)
    return {}


def rotate() -> None:
    """Have a token made, and keep it.

    Raises:
        FailedError: A service refuses, or there is no token.
    """
    try:
        admin = json.loads(secrets.get_secret_value(SecretId=os.environ["ADMIN_SECRET"])["SecretString"])
        payload = json.dumps({"username": admin["username"], "password": admin["password"]})
        called = functions.invoke(FunctionName=os.environ["TOKEN_FUNCTION"], Payload=payload)
        made = json.loads(called["Payload"].read())
        if "token" not in made:
            raise FailedError(str(made.get("error") or made.get("errorMessage") or "no token was made"))
        value = json.dumps({"bucket": os.environ["BUCKET"], "token": made["token"]})
        secrets.put_secret_value(SecretId=os.environ["TOKEN_SECRET"], SecretString=value)
    except (BotoCoreError, ClientError) as error:
        raise FailedError(str(error)) from error


def respond(event: Json, reason: str) -> None:
    """Tell CloudFormation how it went; the resource is the token in the secret, whatever its value."""
    response = {name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")}
    response |= {"Status": "FAILED" if reason else "SUCCESS", "Reason": reason, "NoEcho": True}
    response["PhysicalResourceId"] = event.get("PhysicalResourceId") or f"{event['LogicalResourceId']}-token"
    # Without a content type: CloudFormation's signature is for none.
    request = urllib.request.Request(  # noqa: S310 - CloudFormation's own
        event["ResponseURL"], json.dumps(response).encode(), {"Content-Type": ""}, method="PUT"
    )
    for attempt in (1, 2, 3):
        try:
            with urllib.request.urlopen(request, timeout=RESPONSE_SECONDS):  # noqa: S310
                return
        except OSError as error:
            print(json.dumps({"event": "no response", "attempt": attempt, "reason": str(error)}))
