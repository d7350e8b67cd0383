"""The default VPC has an internet gateway, and a route to it.

moto gap: its default VPC has neither, so nothing in there would reach the internet.
See https://docs.aws.amazon.com/vpc/latest/userguide/default-vpc-components.html.
"""

from __future__ import annotations

from typing import Any

from moto.ec2.models import EC2Backend

from localcloud.hooks import after


@after(EC2Backend, "__init__")
def _created(_: None, backend: EC2Backend, *_args: Any, **_kwargs: Any) -> None:
    vpc = backend.get_default_vpc()
    if vpc is None:
        return
    gateway = backend.create_internet_gateway()
    backend.attach_internet_gateway(gateway.id, vpc.id)
    (main,) = backend.describe_route_tables(filters={"vpc-id": vpc.id, "association.main": "true"})
    backend.create_route(main.id, "0.0.0.0/0", gateway_id=gateway.id)
