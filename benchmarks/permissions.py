"""Measure what enforcing IAM's policies costs a request to the local cloud: a put to S3, and one to DynamoDB.

Two clouds, one that enforces and one that judges nothing, take the same requests of a role with five statements, in
turns, each as often first. The ratio is of the medians of one run, so the machine's speed does not matter.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import boto3
from measurement import circumstances, record

from localcloud import LocalCloud
from localcloud.cloud.settings import IamMode

MODES: tuple[IamMode, ...] = ("off", "enforce")
BUCKET, TABLE, ROLE = "measured", "measured", "measured"
STATEMENTS = [
    {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{BUCKET}"},
    {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": f"arn:aws:s3:::{BUCKET}/*"},
    {"Effect": "Allow", "Action": "dynamodb:PutItem", "Resource": f"arn:aws:dynamodb:*:*:table/{TABLE}"},
    {"Effect": "Allow", "Action": "logs:*", "Resource": "*"},
    {
        "Effect": "Allow",
        "Action": "cloudwatch:PutMetricData",
        "Resource": "*",
        "Condition": {"StringEquals": {"cloudwatch:namespace": "Measured"}},
    },
]


def main() -> None:
    """Measure, print, and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=1000, help="of each kind, to each cloud")
    count = parser.parse_args().requests
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        puts = {mode: _puts(stack.enter_context(LocalCloud(Path(folder, mode), iam=mode))) for mode in MODES}
        figures = {kind: _compare({mode: put[kind] for mode, put in puts.items()}, count) for kind in puts["off"]}
    for kind, figure in figures.items():
        print(f"{kind}: {figure['off_ms']:.2f} ms, enforced {figure['enforce_ms']:.2f} ms: {figure['ratio']:.3f} times")
    record("permissions", circumstances("moto", "boto3") | {"requests": count, "puts": figures})


def _puts(cloud: LocalCloud) -> dict[str, Callable[[int], object]]:
    """Return the two requests, as a role of this cloud."""
    iam = cloud.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=_document([trust]))
    iam.put_role_policy(RoleName=ROLE, PolicyName=ROLE, PolicyDocument=_document(STATEMENTS))
    cloud.client("s3").create_bucket(Bucket=BUCKET)
    cloud.client("dynamodb").create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )
    variables = cloud.role_credentials(ROLE)
    session = boto3.session.Session(
        variables["AWS_ACCESS_KEY_ID"],
        variables["AWS_SECRET_ACCESS_KEY"],
        variables["AWS_SESSION_TOKEN"],
        region_name="us-east-1",
    )
    s3, dynamodb = (session.client(name, endpoint_url=cloud.endpoint) for name in ("s3", "dynamodb"))
    return {
        "S3": lambda number: s3.put_object(Bucket=BUCKET, Key=f"{number % 100}", Body=b"x" * 1024),
        "DynamoDB": lambda number: dynamodb.put_item(TableName=TABLE, Item={"id": {"S": f"{number % 100}"}}),
    }


def _document(statements: list[dict[str, Any]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def _compare(put: dict[IamMode, Callable[[int], object]], count: int) -> dict[str, float]:
    """Return the medians of a request to each cloud, in milliseconds, and their ratio; the first requests warm up."""
    seconds: dict[IamMode, list[float]] = {mode: [] for mode in put}
    for number in range(-20, count):
        for mode in MODES if number % 2 else MODES[::-1]:
            begin = time.perf_counter()
            put[mode](number)
            if number >= 0:
                seconds[mode].append((time.perf_counter() - begin) * 1000)
    off, enforce = (statistics.median(seconds[mode]) for mode in MODES)
    return {"off_ms": round(off, 3), "enforce_ms": round(enforce, 3), "ratio": round(enforce / off, 3)}


if __name__ == "__main__":
    main()
