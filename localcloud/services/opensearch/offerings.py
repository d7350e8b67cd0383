"""Which versions and instance types OpenSearch Service offers, and whether it may enter a VPC.

moto gaps: it has none of the operations that say so, and puts a domain into a VPC without the service-linked role.
cfn-lint ships the instance types of each region. Versions and storage limits are those of the developer guide:
https://docs.aws.amazon.com/opensearch-service/latest/developerguide/limits.html.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any
from urllib.parse import urlparse

from moto.core.exceptions import JsonRESTError
from moto.es.urls import url_paths
from moto.iam.models import iam_backends
from moto.opensearch.models import OpenSearchDomain, OpenSearchServiceBackend
from moto.opensearch.responses import OpenSearchServiceResponse

from localcloud.cloud.account import ACCOUNT
from localcloud.cloudformation.schemas import SCHEMAS
from localcloud.hooks import add, wrap
from localcloud.services.iam.service_linked_roles import OPENSEARCH

VERSIONS = (
    *(f"OpenSearch_{version}" for version in ("3.5", "3.3", "3.1", "2.19", "2.17", "2.15", "2.13", "2.11", "2.9")),
    *(f"OpenSearch_{version}" for version in ("2.7", "2.5", "2.3", "1.3", "1.2", "1.1", "1.0")),
    *(f"Elasticsearch_{version}" for version in ("7.10", "7.9", "7.8", "7.7", "7.4", "7.1", "6.8")),
)
#: The largest volumes, in GiB, of the types that take less than others of their size.
_MAXIMUM_STORAGE = {"t3.small.search": 100, "t3.medium.search": 200}
_MINIMUM_STORAGE = 10
_STORAGE_BY_SIZE = {"medium": 1024, "large": 1536, "xlarge": 3072, "2xlarge": 6144, "4xlarge": 6144}
_LARGEST_STORAGE = 24576


@cache
def instance_types(region: str) -> tuple[str, ...]:
    """Return the instance types of a region."""
    file = SCHEMAS / "extensions" / "aws_opensearchservice_domain" / "clusterconfig_instancetype_enum.json"
    return tuple(json.loads(file.read_text()).get(region, {}).get("enum", ()))


def _check_version(version: str) -> None:
    if version not in VERSIONS:
        raise JsonRESTError("ValidationException", f"Invalid Engine Version: {version}")


@add(OpenSearchServiceResponse, "list_versions")
def _list_versions(_self: OpenSearchServiceResponse) -> str:
    return json.dumps({"Versions": VERSIONS})


@add(OpenSearchServiceResponse, "list_instance_type_details")
def _list_instance_type_details(self: OpenSearchServiceResponse) -> str:
    _check_version(urlparse(self.uri).path.split("/")[-1])
    return json.dumps({"InstanceTypeDetails": [{"InstanceType": kind} for kind in instance_types(self.region)]})


@add(OpenSearchServiceResponse, "describe_instance_type_limits")
def _describe_instance_type_limits(self: OpenSearchServiceResponse) -> str:
    version, kind = urlparse(self.uri).path.split("/")[-2:]
    _check_version(version)
    if kind not in instance_types(self.region):
        raise JsonRESTError("InvalidTypeException", f"Instance type {kind} is not available in this region.")
    maximum = _MAXIMUM_STORAGE.get(kind, _STORAGE_BY_SIZE.get(kind.split(".")[1], _LARGEST_STORAGE))
    limits = [
        {"LimitName": "MinimumVolumeSize", "LimitValues": [str(_MINIMUM_STORAGE)]},
        {"LimitName": "MaximumVolumeSize", "LimitValues": [str(maximum)]},
    ]
    storage = [{"StorageTypeName": "ebs", "StorageSubTypeName": "gp3", "StorageTypeLimits": limits}]
    return json.dumps({"LimitsByRole": {"data": {"StorageTypes": storage}}})


def install() -> None:
    """Route the requests of these operations, of which moto has no addresses."""
    for path in (
        "versions$",
        "instanceTypeDetails/(?P<version>[^/]+)$",
        "instanceTypeLimits/(?P<version>[^/]+)/(?P<kind>[^/]+)$",
    ):
        url_paths[f"{{0}}/2021-01-01/opensearch/{path}"] = OpenSearchServiceResponse.dispatch


@wrap(OpenSearchServiceBackend, "create_domain")
def _create_domain(original: Any, self: OpenSearchServiceBackend, **options: Any) -> OpenSearchDomain:
    roles = {role.name for role in iam_backends[ACCOUNT]["aws"].roles.values()}
    if (options.get("vpc_options") or {}).get("SubnetIds") and OPENSEARCH not in roles:
        raise JsonRESTError(
            "ValidationException",
            "Before you can proceed, you must enable a service-linked role to give Amazon OpenSearch Service "
            "permissions to access your VPC.",
        )
    domain: OpenSearchDomain = original(self, **options)
    return domain
