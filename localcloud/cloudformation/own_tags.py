"""Services take the tags `aws:cloudformation:...` from CloudFormation, and refuse them from anybody else."""

from __future__ import annotations

from collections.abc import Callable

from moto.s3.responses import S3Response
from moto.utilities.tagging_service import TaggingService

from localcloud.cloud.context import Cloud
from localcloud.cloudformation.engine import Operations
from localcloud.cloudformation.stack_tags import OWN
from localcloud.hooks import wrap

_PASSING = "passing:"


@wrap(S3Response, "_bucket_tagging_from_body")
def _let_own_tags_into_buckets(
    cloud: Cloud, original: Callable[[S3Response], dict[str, str]], self: S3Response
) -> dict[str, str]:
    """Let CloudFormation give buckets its own tags while a stack changes; S3 refuses them from anybody else."""
    if not cloud.state(Operations).busy:
        return original(self)
    self.body = self.body.replace(f"<Key>{OWN}".encode(), f"<Key>{_PASSING}".encode())
    return {key.replace(_PASSING, OWN): value for key, value in original(self).items()}


@wrap(TaggingService, "validate_tags")
def _let_own_tags_pass(
    cloud: Cloud,
    original: Callable[[TaggingService, list[dict[str, str]], int], str],
    self: TaggingService,
    tags: list[dict[str, str]],
    limit: int = 0,
) -> str:
    """Let CloudFormation give its own tags while a stack changes; services refuse them from anybody else."""
    changing = bool(cloud.state(Operations).busy)
    passing = [tag for tag in tags if not (changing and tag.get(self.key_name, "").startswith(OWN))]
    return original(self, passing, limit)
