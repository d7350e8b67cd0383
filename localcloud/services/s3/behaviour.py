"""Amazon S3: buckets are in the cloud's region, and notify whatever lets S3 in.

moto gap: notifications reach queues, topics and functions whose policies keep S3 out.
"""

from typing import Any

from moto.s3 import notifications
from moto.s3.exceptions import IncompatibleLocationConstraintException
from moto.s3.responses import S3Response

from localcloud.access import service_calls
from localcloud.cloud.account import REGION
from localcloud.cloud.context import Cloud
from localcloud.hooks import wrap


@wrap(S3Response, "_get_location_constraint")
def _get_location_constraint(original: Any, self: S3Response) -> str | None:
    """Refuse a bucket in another region, as AWS does everywhere but in us-east-1."""
    location: str | None = original(self)
    if location not in {None, REGION}:
        raise IncompatibleLocationConstraintException(str(location))
    return location


@wrap(notifications, "_invoke_awslambda", "_send_sns_message", "_send_sqs_message")
def _notify(  # noqa: PLR0917 (moto's parameters)
    cloud: Cloud, original: Any, account: str, event: dict[str, Any], target: str, region: str
) -> None:
    """Notify in the bucket's own name; where a policy keeps S3 out, the event is lost.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/grant-destinations-permissions-to-s3.html
    """
    arn = target if target.startswith("arn:") else f"arn:aws:sqs:{region}:{account}:{target}"
    name = event["Records"][0]["s3"]["bucket"]["name"] if "Records" in event else event["Bucket"]  # of a test event
    try:
        service_calls.check(cloud, "s3.amazonaws.com", arn, f"arn:aws:s3:::{name}")
    except PermissionError:  # which is recorded as a denial
        return
    original(account, event, target, region)
