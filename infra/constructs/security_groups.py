"""Who reaches whom in a network: from one security group to another, on one port, and nothing else."""

from aws_cdk import aws_ec2
from constructs import Construct


def let_reach(
    scope: Construct,
    name: str,
    *,
    source: aws_ec2.ISecurityGroup,
    target: aws_ec2.ISecurityGroup,
    port: int,
    what: str,
    who: str = "Clients",
) -> None:
    """Let members of one group open connections to members of another.

    The two rules are resources of their own (`From<who>` and `To<name>`), because the groups refer to each other.

    Args:
        scope: where the rules stand.
        name: the target's name.
        source: who connects.
        target: to whom.
        port: on which TCP port.
        what: what is there, for the rules' descriptions.
        who: the source's name.
    """
    aws_ec2.CfnSecurityGroupIngress(
        scope,
        f"From{who}",
        description=f"{what} from its {who.lower()}",
        group_id=target.security_group_id,
        source_security_group_id=source.security_group_id,
        ip_protocol="tcp",
        from_port=port,
        to_port=port,
    )
    aws_ec2.CfnSecurityGroupEgress(
        scope,
        f"To{name}",
        description=what,
        group_id=source.security_group_id,
        destination_security_group_id=target.security_group_id,
        ip_protocol="tcp",
        from_port=port,
        to_port=port,
    )
