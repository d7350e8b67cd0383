"""Amazon S3: buckets are in the cloud's region, as everything else is."""

from __future__ import annotations

from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.s3.exceptions import IncompatibleLocationConstraintException
from moto.s3.responses import S3Response

from localcloud.cloud.account import REGION
from localcloud.hooks import wrap


@wrap(S3Response, "_get_location_constraint")
def _get_location_constraint(original: Any, self: S3Response) -> str | None:
    """Refuse a bucket in another region, as AWS does everywhere but in us-east-1."""
    location: str | None = original(self)
    if location not in {None, REGION}:
        raise IncompatibleLocationConstraintException(str(location))
    return location


@wrap(DomainDispatcherApplication, "infer_service_region_host")
def _service_of(original: Any, self: DomainDispatcherApplication, environ: dict[str, Any], path: str) -> str | None:
    """Take no signature of version 2 for a credential scope: with four slashes in it, moto does."""
    is_version_2 = environ.get("HTTP_AUTHORIZATION", "").startswith("AWS ")
    host: str | None = None if is_version_2 else original(self, environ, path)
    return host
