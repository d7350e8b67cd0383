"""How properties of CloudFormation become parameters of Amazon EC2, where more than a name differs."""

from __future__ import annotations

from localcloud.cloud.context import Cloud
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
    return values | _tagging("elastic-ip", values.get("Tags"))


def key_pair(values: Properties) -> Properties:
    """Tag a key pair when it is imported, since tags need its id and templates refer to its name.

    Raises:
        ValueError: CloudFormation would make the private key, and keep it in a parameter.
    """
    if "PublicKeyMaterial" not in values:
        raise ValueError("a key pair without the property PublicKeyMaterial is not supported by the local cloud")
    return values | _tagging("key-pair", values.pop("Tags", None))


def placement_group(values: Properties) -> Properties:
    """Tag a placement group when it is created, since tags need its id and templates refer to its name."""
    return values | _tagging("placement-group", values.pop("Tags", None))


def _tagging(kind: str, tags: list[Properties] | None) -> Properties:
    return without_empty(TagSpecifications=[{"ResourceType": kind, "Tags": tags}] if tags else None)


#: What the API calls the properties of an instance that say where it is.
PLACEMENT = {"AvailabilityZone": "AvailabilityZone", "PlacementGroupName": "GroupName", "Tenancy": "Tenancy"}


def instance(values: Properties) -> Properties:
    """Put together where an instance is, which the API wants to know as one."""
    placement = {name: values.pop(key) for key, name in PLACEMENT.items() if key in values}
    return values | without_empty(Placement=placement)


def network_acl_association(cloud: Cloud, values: Properties) -> Properties:
    """Say which association of the subnet is replaced, and which list it has without this one: that of its network."""
    subnet, ec2 = values["SubnetId"], cloud.client("ec2")
    found = ec2.describe_network_acls(Filters=[{"Name": "association.subnet-id", "Values": [subnet]}])["NetworkAcls"][0]
    present = next(item["NetworkAclAssociationId"] for item in found["Associations"] if item["SubnetId"] == subnet)
    its_network = {"Name": "vpc-id", "Values": [found["VpcId"]]}
    defaults = ec2.describe_network_acls(Filters=[its_network, {"Name": "default", "Values": ["true"]}])["NetworkAcls"]
    return {
        "AssociationId": present,
        "NetworkAclId": values["NetworkAclId"],
        "Default": defaults[0]["NetworkAclId"],
    }


def peering(values: Properties) -> Properties:
    """Accept the connection, as CloudFormation does between networks of one account."""
    return {**values, "Acceptance": [{}]}
