"""Amazon S3: buckets are in the cloud's region, as everything else is, and have names that S3 takes.

moto gap: it creates buckets in any region, and under most names. It locks the objects of new buckets only, and takes a
retention without a time. It answers a versioning without a state with an empty
404, a question for the retention of an object not at all, and fails at a query that its S3 Select does not understand.
"""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.s3.exceptions import (
    IncompatibleLocationConstraintException,
    InvalidBucketState,
    MalformedXML,
    MissingKey,
    S3ClientError,
)
from moto.s3.models import S3Backend
from moto.s3.responses import S3Response

from localcloud.cloud.account import REGION
from localcloud.hooks import replace, wrap
from localcloud.services import rules


@wrap(S3Response, "_get_location_constraint")
def _get_location_constraint(original: Any, self: S3Response) -> str | None:
    """Refuse a bucket in another region, as AWS does everywhere but in us-east-1."""
    location: str | None = original(self)
    if location not in {None, REGION}:
        raise IncompatibleLocationConstraintException(str(location))
    return location


@wrap(S3Backend, "create_bucket")
def _create_bucket(original: Any, self: S3Backend, bucket_name: str, *args: Any, **kwargs: Any) -> Any:
    try:
        rules.check_request("AWS::S3::Bucket", "s3.CreateBucket", {"Bucket": bucket_name})
    except rules.RuleError as error:
        raise S3ClientError(error.code, error.message) from None
    return original(self, bucket_name, *args, **kwargs)


@wrap(S3Response, "_bucket_response_put")
def _bucket_response_put(
    original: Any, self: S3Response, request: Any, bucket_name: str, querystring: dict[str, Any]
) -> Any:
    if "versioning" in querystring and b"<Status>" not in self.body:
        message = "The versioning configuration specified in the request is invalid"
        raise S3ClientError("IllegalVersioningConfigurationException", message)
    return original(self, request, bucket_name, querystring)


@replace(S3Backend, "put_object_lock_configuration")
def _put_object_lock_configuration(  # noqa: PLR0917 - moto's parameters
    self: S3Backend,
    bucket_name: str,
    lock_enabled: bool,
    mode: str | None = None,
    days: int | None = None,
    years: int | None = None,
) -> None:
    """Say how long new objects of a bucket are kept, or no longer say it."""
    bucket = self.get_bucket(bucket_name)
    if not bucket.is_versioned:
        message = "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration"
        raise InvalidBucketState(message)
    if not lock_enabled or bool(mode) != bool(days or years):
        raise MalformedXML
    bucket.object_lock_enabled = True
    bucket.default_lock_mode, bucket.default_lock_days, bucket.default_lock_years = mode, days or 0, years or 0


@wrap(S3Backend, "get_object_lock_configuration")
def _get_object_lock_configuration(original: Any, self: S3Backend, bucket_name: str) -> tuple[Any, ...]:
    """Describe the time in the unit that it was given in."""
    enabled, mode, days, years = original(self, bucket_name)
    return enabled, mode, days or None, years or None


@wrap(S3Backend, "delete_object_tagging")
def _delete_object_tagging(
    original: Any, self: S3Backend, bucket_name: str, key_name: str, version_id: str | None = None
) -> None:
    if self.get_object(bucket_name, key_name, version_id=version_id) is None:
        raise MissingKey(key=key_name)
    original(self, bucket_name, key_name, version_id=version_id)


@wrap(S3Response, "_key_response_get")
def _key_response_get(original: Any, self: S3Response, query: dict[str, Any], key_name: str) -> Any:
    """Answer GetObjectRetention, which moto takes for another question."""
    if "retention" not in query:
        return original(self, query, key_name)
    self.data["Action"] = "GetObjectRetention"
    version = query.get("versionId", [None])[0]
    key = self.backend.get_object(self.bucket_name, key_name, version_id=version)
    if key is None:
        raise MissingKey(key=key_name)
    if not key.lock_mode:
        message = "The specified object does not have a ObjectLock configuration"
        raise S3ClientError("NoSuchObjectLockConfiguration", message)
    return self.serialized(ActionResult({"Retention": {"Mode": key.lock_mode, "RetainUntilDate": key.lock_until}}))


@wrap(S3Backend, "select_object_content")
def _select_object_content(  # noqa: PLR0917 - moto's parameters
    original: Any,
    self: S3Backend,
    bucket_name: str,
    key_name: str,
    select_query: str,
    input_details: dict[str, Any] | None,
    output_details: dict[str, Any],
) -> Any:
    """Refuse what moto's S3 Select cannot read: Parquet, other encodings, and queries that it does not understand."""
    if "Parquet" in (input_details or {}):
        raise S3ClientError("NotImplemented", "The local cloud does not read Parquet")
    try:
        return original(self, bucket_name, key_name, select_query, input_details, output_details)
    except S3ClientError:
        raise
    except UnicodeDecodeError:
        raise S3ClientError("InvalidTextEncoding", "Invalid encoding type. Only UTF-8 encoding is supported.") from None
    except Exception as error:  # whatever the parser of the query raises
        message = f"The local cloud does not understand the SQL expression: {error}"
        raise S3ClientError("ParseUnexpectedToken", message) from error


@wrap(DomainDispatcherApplication, "infer_service_region_host")
def _service_of(original: Any, self: DomainDispatcherApplication, environ: dict[str, Any], path: str) -> str | None:
    """Take no signature of version 2 for a credential scope: with four slashes in it, moto does."""
    is_version_2 = environ.get("HTTP_AUTHORIZATION", "").startswith("AWS ")
    host: str | None = None if is_version_2 else original(self, environ, path)
    return host
