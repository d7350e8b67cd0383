"""Endpoints of VPCs: one of which nobody says the type is a gateway.

moto gap: it treats such an endpoint as a gateway, keeps no type of it, and fails when it is deleted.
Source: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpcEndpoint.html.
"""

from __future__ import annotations

from typing import Any

from moto.ec2.models.vpcs import VPCBackend, VPCEndPoint

from localcloud.hooks import wrap


@wrap(VPCBackend, "create_vpc_endpoint")
def _create_vpc_endpoint(original: Any, self: VPCBackend, **options: Any) -> VPCEndPoint:
    endpoint: VPCEndPoint = original(self, **options | {"endpoint_type": options.get("endpoint_type") or "Gateway"})
    return endpoint
