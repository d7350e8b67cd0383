"""Amazon ECR: an image needs a manifest and a repository that exists, and a registry may have no rules for scans.

moto gap: all three end with an error of Python's.
"""

from __future__ import annotations

import json
from typing import Any

from moto.ecr.exceptions import InvalidParameterException, RepositoryNotFoundException
from moto.ecr.models import ECRBackend

from localcloud.hooks import wrap


@wrap(ECRBackend, "put_image")
def _put_image(
    original: Any, self: ECRBackend, repository_name: str, image_manifest: str, *args: Any, **kwargs: Any
) -> Any:
    if repository_name not in self.repositories:
        raise RepositoryNotFoundException(repository_name, self.account_id)
    try:
        json.loads(image_manifest)
    except ValueError as error:
        message = "Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax'"
        raise InvalidParameterException(message) from error
    return original(self, repository_name, image_manifest, *args, **kwargs)


@wrap(ECRBackend, "put_registry_scanning_configuration")
def _put_registry_scanning_configuration(
    original: Any, self: ECRBackend, scan_type: str, rules: list[dict[str, Any]] | None
) -> None:
    original(self, scan_type, rules or [])
