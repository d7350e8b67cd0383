"""Requests that botocore's models allow, built only from the models: the same ones in each run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

#: What a text may look like, in the order in which it is tried against a pattern.
TEXTS = (
    "absent-thing",
    "absentthing",
    "AbsentThing",
    "arn:aws:iam::123456789012:role/absent-thing",
    "arn:aws:lambda:us-east-1:123456789012:function:absent-thing",
    "123456789012",
    "https://example.com/absent-thing",
    "absent@example.com",
    "00000000-0000-4000-8000-000000000000",
    "/absent-thing",
    "2026-11-28T00:00:00",
    "1",
    "sha256:" + "0" * 64,
    "0" * 32,
)
#: How EC2's ids begin, by the name of the member; others begin with `x-`, which EC2 takes for none.
PREFIXES = {
    "AllocationId": "eipalloc",
    "AssociationId": "eipassoc",
    "CustomerGatewayId": "cgw",
    "DhcpOptionsId": "dopt",
    "EgressOnlyInternetGatewayId": "eigw",
    "FlowLogId": "fl",
    "GroupId": "sg",
    "ImageId": "ami",
    "InstanceId": "i",
    "InternetGatewayId": "igw",
    "LaunchTemplateId": "lt",
    "NatGatewayId": "nat",
    "NetworkAclId": "acl",
    "NetworkInterfaceId": "eni",
    "PrefixListId": "pl",
    "RouteTableId": "rtb",
    "SecurityGroupId": "sg",
    "SnapshotId": "snap",
    "SubnetId": "subnet",
    "TransitGatewayAttachmentId": "tgw-attach",
    "TransitGatewayId": "tgw",
    "TransitGatewayRouteTableId": "tgw-rtb",
    "VolumeId": "vol",
    "VpcEndpointId": "vpce",
    "VpcId": "vpc",
    "VpcPeeringConnectionId": "pcx",
    "VpnConnectionId": "vpn",
    "VpnGatewayId": "vgw",
}
NAMES = re.compile(r"(?:Name|Id|ID|Identifier|Arn|ARN|Url|Names|Ids|Identifiers|Arns|Handle)$", re.IGNORECASE)
#: Values that are no texts, by the types of botocore.
PLAIN = {
    "blob": b"e30=",
    "boolean": True,
    "double": 1.0,
    "float": 1.0,
    "integer": 1,
    "long": 1,
    "timestamp": 1_700_000_000,
}
DEEPEST = 6


def parameters(operation: OperationModel, *, naming: bool) -> dict[str, Any]:
    """Return parameters that the operation's model allows.

    Args:
        operation: The operation.
        naming: Give each member that names something, too, and not only those that are required.
    """
    if operation.input_shape is None:
        return {}
    return dict(_structure(operation.input_shape, operation.service_model.service_name, 0, naming=naming))


def _structure(shape: StructureShape, service: str, depth: int, *, naming: bool) -> Iterator[tuple[str, Any]]:
    required = {*shape.required_members}
    if getattr(shape, "is_tagged_union", False):
        required = {next(iter(shape.members))}
    for name, member in shape.members.items():
        named = naming and depth < 2 and NAMES.search(name) and member.type_name in {"string", "list"}
        if name in required or named:
            yield name, _value(name, member, service, depth + 1, naming=naming)


def _value(name: str, shape: Shape, service: str, depth: int, *, naming: bool) -> Any:
    if isinstance(shape, StructureShape):
        return dict(_structure(shape, service, depth, naming=naming)) if depth < DEEPEST else {}
    if isinstance(shape, ListShape):
        number = max(1, shape.metadata.get("min", 1))
        item = _value(name.removesuffix("s"), shape.member, service, depth + 1, naming=naming)
        return [item] * number if depth < DEEPEST else []
    if isinstance(shape, MapShape):
        key = _text(name, shape.key, service)
        return {key: _value(name, shape.value, service, depth + 1, naming=naming)}
    if shape.type_name == "string":
        return _text(name, shape, service)
    plain = PLAIN[shape.type_name]
    return max(plain, shape.metadata.get("min") or 0) if isinstance(plain, int | float) else plain


def _text(name: str, shape: Shape, service: str) -> str:
    if enum := shape.metadata.get("enum"):
        return str(enum[0])
    least, most = shape.metadata.get("min") or 0, shape.metadata.get("max") or 10_000
    if service == "ec2" and name.endswith("Id"):
        prefix = next((PREFIXES[end] for end in sorted(PREFIXES, key=len, reverse=True) if name.endswith(end)), "x")
        return f"{prefix}-0123456789abcdef0".ljust(least, "0")
    arn = [f"arn:aws:{service}:us-east-1:123456789012:absent/thing"] if re.search("arn$", name, re.IGNORECASE) else []
    pattern = re.sub(r"\\p\{\w+\}|\\P\{\w+\}", r"\\w", shape.metadata.get("pattern", ""))
    pattern = re.sub(r"\\u([0-9A-Fa-f]{4})|\\x\{?([0-9A-Fa-f]+)\}?", r"\\w", pattern)
    for text in (*arn, f"absent-{name.lower()}", *TEXTS):
        sized = text.ljust(least, "0")[:most]
        if _matches(pattern, sized):
            return sized
    return "".join(_generated(parser.parse(pattern))).ljust(least, "0")


def _matches(pattern: str, text: str) -> bool:
    try:
        return not pattern or re.fullmatch(f"(?:{pattern})", text, re.DOTALL) is not None
    except re.error:
        return True


def _generated(parsed: Any) -> Iterator[str]:
    """Yield a text that a parsed regular expression matches, piece by piece."""
    for kind, argument in parsed:
        name = str(kind)
        if name == "LITERAL":
            yield chr(argument)
        elif name == "IN":
            yield _character(argument)
        elif name in {"MAX_REPEAT", "MIN_REPEAT"}:
            least, most, repeated = argument
            yield "".join(_generated(repeated)) * min(max(least, 1), int(most))
        elif name == "SUBPATTERN":
            yield from _generated(argument[-1])
        elif name == "BRANCH":
            yield from _generated(argument[1][0])
        elif name in {"ANY", "NOT_LITERAL"}:
            yield "a"


def _character(options: Any) -> str:
    kind, argument = options[0]
    if str(kind) == "LITERAL":
        return chr(argument)
    if str(kind) == "RANGE":
        return chr(argument[0])
    return "0" if "DIGIT" in str(argument) else "a"
