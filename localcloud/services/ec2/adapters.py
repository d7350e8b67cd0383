"""How properties of CloudFormation become parameters of Amazon EC2, where more than a name differs."""

from __future__ import annotations

from localcloud.cloudformation.translation import Properties, without_empty


def security_group(values: Properties) -> Properties:
    """Turn the rules of a security group into calls; rules for outgoing traffic replace the default one."""
    properties = {key: item for key, item in values.items() if not key.startswith("SecurityGroup")}
    for direction in ("Ingress", "Egress"):
        if rules := values.get(f"SecurityGroup{direction}"):
            properties[direction] = [{"IpPermissions": [_permission(rule)]} for rule in rules]
    if "Egress" in properties:
        everything = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
        properties = {"DefaultEgress": {"IpPermissions": [everything]}, **properties}
    return properties


def security_group_rule(values: Properties) -> Properties:
    """Turn a rule that is a resource of its own into the permission that the call takes."""
    return {"GroupId": values["GroupId"], "IpPermissions": [_permission(values)]}


def _permission(rule: Properties) -> Properties:
    peers = {
        "IpRanges": ("CidrIp", rule.get("CidrIp")),
        "Ipv6Ranges": ("CidrIpv6", rule.get("CidrIpv6")),
        "UserIdGroupPairs": ("GroupId", rule.get("SourceSecurityGroupId") or rule.get("DestinationSecurityGroupId")),
        "PrefixListIds": ("PrefixListId", rule.get("SourcePrefixListId") or rule.get("DestinationPrefixListId")),
    }
    description = {key: rule[key] for key in ("Description",) if key in rule}
    permission = {key: rule[key] for key in ("IpProtocol", "FromPort", "ToPort") if key in rule}
    return permission | {name: [{key: peer, **description}] for name, (key, peer) in peers.items() if peer}


def address(values: Properties) -> Properties:
    """Tag an address when it is allocated, since tags need its allocation id and templates refer to its IP address."""
    tags = values.get("Tags")
    return values | without_empty(TagSpecifications=[{"ResourceType": "elastic-ip", "Tags": tags}] if tags else None)
