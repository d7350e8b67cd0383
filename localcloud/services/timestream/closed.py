"""Timestream for LiveAnalytics is closed to accounts that did not use it before 2025-06-20.

moto gap: it is open to everybody.
See https://docs.aws.amazon.com/timestream/latest/developerguide/AmazonTimestreamForLiveAnalytics-availability-change.html.
"""

from __future__ import annotations

from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.timestreamwrite.responses import TimestreamWriteResponse

from localcloud.cloud.context import Cloud
from localcloud.hooks import wrap


@wrap(TimestreamWriteResponse, "describe_endpoints", "create_database", "describe_database", "list_databases")
def _open(cloud: Cloud, original: Any, self: Any) -> Any:
    if cloud.settings.account == "new":
        raise JsonRESTError(
            "AccessDeniedException",
            "Only existing Timestream for LiveAnalytics customers can access the service. Reach out to AWS support for "
            "more information.",
        )
    return original(self)
