"""Security groups that let nothing in or out, and the rules that open them.

Every rule is a resource of its own, because two groups that let each other through refer to each other. A group's own
rules (`add_ingress_rule`) are not used: `let_in`, `let_out` and `let_reach` are the way to open a group.
"""

from __future__ import annotations

from typing import Any

from aws_cdk import aws_ec2
from constructs import Construct

HTTPS = 443


def security_group(
    scope: Construct, name: str, vpc: aws_ec2.IVpc, description: str, *, https_out: str = ""
) -> aws_ec2.SecurityGroup:
    """Make a group that lets nothing in, and nothing out but HTTPS where that is wanted.

        clients = security_group(self, "Clients", vpc, "Reaches the database.", https_out="HTTPS to AWS")

    Args:
        scope: Where it stands.
        name: Its construct's name.
        vpc: Its network.
        description: Who its members are; AWS replaces the group when it changes.
        https_out: What its members reach by HTTPS, as the description of that rule; by default they do not.
    """
    group = aws_ec2.SecurityGroup(scope, name, vpc=vpc, allow_all_outbound=False, description=description)
    if https_out:
        group.add_egress_rule(aws_ec2.Peer.any_ipv4(), aws_ec2.Port.tcp(HTTPS), https_out)
    return group


def let_in(
    scope: Construct,
    name: str,
    group: aws_ec2.ISecurityGroup,
    source: aws_ec2.ISecurityGroup | str,
    *,
    port: int | None,
    description: str,
) -> aws_ec2.CfnSecurityGroupIngress:
    """Let members of a group be reached.

        let_in(self, "Ssh", instances, "203.0.113.7/32", port=22, description="SSH from one network")

    Args:
        scope: Where the rule stands.
        name: Its construct's name.
        group: The group that is opened.
        source: Who may connect: members of a group, or a network in CIDR notation.
        port: The TCP port; `None` is every port of every protocol.
        description: What the rule is for.
    """
    peer: dict[str, Any] = (
        {"cidr_ip": source} if isinstance(source, str) else {"source_security_group_id": source.security_group_id}
    )
    return aws_ec2.CfnSecurityGroupIngress(
        scope, name, description=description, group_id=group.security_group_id, **peer, **_ports(port)
    )


def let_out(
    scope: Construct,
    name: str,
    group: aws_ec2.ISecurityGroup,
    target: aws_ec2.ISecurityGroup | str,
    *,
    port: int | None,
    description: str,
) -> aws_ec2.CfnSecurityGroupEgress:
    """Let members of a group connect to others.

        let_out(self, "ToSource", jobs, "203.0.113.7/32", port=5432, description="The old database")

    Args:
        scope: Where the rule stands.
        name: Its construct's name.
        group: The group that is opened.
        target: What its members reach: members of a group, or a network in CIDR notation.
        port: The TCP port; `None` is every port of every protocol.
        description: What the rule is for.
    """
    peer: dict[str, Any] = (
        {"cidr_ip": target} if isinstance(target, str) else {"destination_security_group_id": target.security_group_id}
    )
    return aws_ec2.CfnSecurityGroupEgress(
        scope, name, description=description, group_id=group.security_group_id, **peer, **_ports(port)
    )


def let_reach(
    scope: Construct,
    name: str,
    *,
    source: aws_ec2.ISecurityGroup,
    target: aws_ec2.ISecurityGroup,
    port: int,
    service: str,
    client: str = "Clients",
) -> None:
    """Let members of one group open connections to members of another, by the rules `From<client>` and `To<name>`.

        let_reach(self, "Graph", source=jobs, target=graph, port=8182, service="Neptune", client="Job")

    Args:
        scope: Where the rules stand.
        name: The target's name.
        source: The group whose members connect.
        target: The group that they connect to.
        port: The TCP port.
        service: The service that is reached, for the rules' descriptions.
        client: The name of the source.
    """
    let_in(scope, f"From{client}", target, source, port=port, description=f"{service} from its {client.lower()}")
    let_out(scope, f"To{name}", source, target, port=port, description=service)


def _ports(port: int | None) -> dict[str, Any]:
    return {"ip_protocol": "-1"} if port is None else {"ip_protocol": "tcp", "from_port": port, "to_port": port}
