"""CloudTrail: there are no events."""

from moto.cloudtrail.responses import CloudTrailResponse


def _lookup_events(_self: CloudTrailResponse) -> str:
    """moto gap: none; the CDK asks CloudTrail why a deployment failed, and retries for 20 s without an answer."""  # noqa: D403
    return '{"Events": []}'


setattr(CloudTrailResponse, "lookup_events", _lookup_events)  # noqa: B010 (moto has no such method)
