"""Service Quotas: the quotas of the account in each region, which a request raises.

moto gaps: it knows the defaults of `vpc` only; no quota of an account differs from them, and none can be raised. AWS
decides on a request within minutes or days; here it is granted at once, and its answer still says PENDING, as AWS's.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.servicequotas.responses import ServiceQuotasResponse

from contract.quotas import QUOTAS, Quota
from localcloud.cloud.account import ACCOUNT
from localcloud.cloud.context import Cloud
from localcloud.hooks import add, replace

#: What an account has that is established: no test and no demonstration comes near it.
RAISED = {"vpc": 100, "ec2": 1152, "rds": 100, "fargate": 256}


@dataclass
class Granted:
    """What the account has asked for.

    Attributes:
        quotas: What was granted, by region and quota.
        requests: The requests, as they are described.
    """

    quotas: dict[tuple[str, Quota], float] = field(default_factory=dict)
    requests: list[dict[str, Any]] = field(default_factory=list)


def value(cloud: Cloud, quota: Quota, region: str) -> float:
    """Return what the account may have of something in a region."""
    initial = quota.default if cloud.settings.account == "new" else RAISED[quota.service]
    return cloud.state(Granted).quotas.get((region, quota), initial)


def _find(self: ServiceQuotasResponse) -> Quota:
    """Return the quota that a request names.

    Raises:
        JsonRESTError: There is none.
    """
    service, code = _parameters(self).get("ServiceCode"), _parameters(self).get("QuotaCode")
    for quota in QUOTAS:
        if (quota.service, quota.code) == (service, code):
            return quota
    raise _no_such_resource()


def _no_such_resource() -> JsonRESTError:
    return JsonRESTError("NoSuchResourceException", "The request failed because the specified service does not exist.")


def _parameters(self: ServiceQuotasResponse) -> dict[str, Any]:
    parameters: dict[str, Any] = json.loads(self.body)
    return parameters


def _described(quota: Quota, region: str, amount: float) -> dict[str, Any]:
    return {
        "ServiceCode": quota.service,
        "QuotaArn": f"arn:aws:servicequotas:{region}:{ACCOUNT}:{quota.service}/{quota.code}",
        "QuotaCode": quota.code,
        "QuotaName": quota.name,
        "Value": float(amount),
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
    }


def _of_service(self: ServiceQuotasResponse) -> list[Quota]:
    """Return the quotas of the service that a request names; moto's own defaults of `vpc` are not among them."""
    quotas = [quota for quota in QUOTAS if quota.service == _parameters(self).get("ServiceCode")]
    if not quotas:
        raise _no_such_resource()
    return quotas


@replace(ServiceQuotasResponse, "get_service_quota")
def _get_service_quota(cloud: Cloud, self: ServiceQuotasResponse) -> str:
    quota = _find(self)
    return json.dumps({"Quota": _described(quota, self.region, value(cloud, quota, self.region))})


@add(ServiceQuotasResponse, "get_aws_default_service_quota")
def _get_aws_default_service_quota(self: ServiceQuotasResponse) -> str:
    quota = _find(self)
    return json.dumps({"Quota": _described(quota, self.region, quota.default)})


@add(ServiceQuotasResponse, "list_service_quotas")
def _list_service_quotas(cloud: Cloud, self: ServiceQuotasResponse) -> str:
    quotas = _of_service(self)
    return json.dumps(
        {"Quotas": [_described(quota, self.region, value(cloud, quota, self.region)) for quota in quotas]}
    )


@add(ServiceQuotasResponse, "request_service_quota_increase")
def _request_service_quota_increase(cloud: Cloud, self: ServiceQuotasResponse) -> str:
    quota, desired = _find(self), float(_parameters(self)["DesiredValue"])
    if desired <= value(cloud, quota, self.region):
        raise JsonRESTError("IllegalArgumentException", "You must provide a quota value greater than the current value")
    cloud.state(Granted).quotas[self.region, quota] = desired
    change = {
        "Id": uuid.uuid4().hex,
        "ServiceCode": quota.service,
        "QuotaCode": quota.code,
        "QuotaName": quota.name,
        "DesiredValue": desired,
        "Status": "APPROVED",
        "Created": datetime.now(UTC).timestamp(),
        "GlobalQuota": False,
        "Unit": "None",
    }
    cloud.state(Granted).requests.append(change)
    return json.dumps({"RequestedQuota": change | {"Status": "PENDING"}})


@add(ServiceQuotasResponse, "get_requested_service_quota_change")
def _get_requested_service_quota_change(cloud: Cloud, self: ServiceQuotasResponse) -> str:
    for change in cloud.state(Granted).requests:
        if change["Id"] == _parameters(self)["RequestId"]:
            return json.dumps({"RequestedQuota": change})
    raise _no_such_resource()
