"""How EC2 instances are set up: metadata only with a session token, encrypted disks, a role instead of keys."""

from __future__ import annotations

from typing import Any

from aws_cdk import aws_ec2, aws_iam
from constructs import Construct

from infra.guardrails import acknowledge


def instance_profile(scope: Construct, name: str, *, purpose: str, managed_policy: str) -> aws_iam.InstanceProfile:
    """Make a role for instances, with the policy that AWS maintains for the agent that it runs on them.

        profile = instance_profile(
            self, "Instance", purpose="Lets Systems Manager reach the instances.",
            managed_policy="AmazonSSMManagedInstanceCore",
        )

    Args:
        scope: Where it stands.
        name: What the names of its constructs begin with.
        purpose: The role's description.
        managed_policy: The name of AWS's policy.
    """
    role = aws_iam.Role(
        scope,
        f"{name}Role",
        assumed_by=aws_iam.ServicePrincipal("ec2.amazonaws.com"),
        description=purpose,
        managed_policies=[aws_iam.ManagedPolicy.from_aws_managed_policy_name(managed_policy)],
    )
    finding = f"IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/{managed_policy}]"
    acknowledge(role, {finding: "AWS keeps this policy in step with what its agent needs."})
    return aws_iam.InstanceProfile(scope, f"{name}Profile", role=role)


def launch_template(
    scope: Construct, name: str, *, volume_gib: int, tags_in_metadata: bool = False, **data: Any
) -> aws_ec2.CfnLaunchTemplate:
    """Make a launch template without SSH keys, with IMDSv2 and an encrypted gp3 root volume.

        template = launch_template(self, "LaunchTemplate", volume_gib=8, instance_type="t3.micro", image_id=image)

    Args:
        scope: Where it stands.
        name: Its construct's name.
        volume_gib: The size of the root volume, in GiB.
        tags_in_metadata: Whether an instance finds its tags in its metadata.
        data: More of `LaunchTemplateData`.
    """
    return aws_ec2.CfnLaunchTemplate(
        scope,
        name,
        launch_template_data=aws_ec2.CfnLaunchTemplate.LaunchTemplateDataProperty(
            metadata_options=aws_ec2.CfnLaunchTemplate.MetadataOptionsProperty(
                http_tokens="required",
                http_put_response_hop_limit=1,
                instance_metadata_tags="enabled" if tags_in_metadata else None,
            ),
            block_device_mappings=[
                aws_ec2.CfnLaunchTemplate.BlockDeviceMappingProperty(
                    device_name="/dev/xvda",
                    ebs=aws_ec2.CfnLaunchTemplate.EbsProperty(
                        volume_size=volume_gib, volume_type="gp3", encrypted=True, delete_on_termination=True
                    ),
                )
            ],
            **data,
        ),
    )
