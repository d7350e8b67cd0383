"""CloudTrail: there are no events.

moto gap: it does not have `LookupEvents`.
"""

from __future__ import annotations

from moto.cloudtrail.responses import CloudTrailResponse

from localcloud.hooks import add


@add(CloudTrailResponse, "lookup_events")
def _lookup_events(_self: CloudTrailResponse) -> str:
    """Return no events: the CDK asks for them when a deployment fails, and retries for 20 s if it gets no answer."""
    return '{"Events": []}'
