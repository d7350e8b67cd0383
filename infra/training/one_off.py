"""Define the launch template of an EC2 instance with a GPU that does one training and then terminates itself."""

from __future__ import annotations

from pathlib import Path

from aws_cdk import Aws, Fn, Stack, aws_ec2, aws_iam

from contract.metrics import TRAINING_NAMESPACE
from contract.tags import EXPECTED_TERMINATION
from contract.workloads import TRAINING
from infra.constructs.instances import instance_profile, launch_template
from infra.constructs.network import Network
from infra.constructs.permissions import let_pull, own_namespace
from infra.guardrails import acknowledge
from infra.parameters import text
from infra.settings.training import TrainingSettings
from infra.training.compute import PUBLIC_ADDRESS
from infra.training.permissions import Permissions
from infra.training.storage import Storage

SCRIPT = Path(__file__).parent / "one_off.sh"
INSTANCE_TYPE = "g4dn.xlarge"  # unless who launches it says otherwise


class OneOff:
    """The launch template of one-off instances.

    Attributes:
        profile: The instance's own permissions.
        template: The launch template; a launch adds the tags `groundwork:command`, `groundwork:options` and
            `groundwork:role`.
    """

    def __init__(self, stack: Stack) -> None:
        """Make the role of the instance, which the roles of jobs refer to."""
        self._stack = stack
        self.profile = instance_profile(
            stack,
            "OneOff",
            purpose="Lets Systems Manager reach a one-off instance, and its container become a job.",
            managed_policy="AmazonSSMManagedInstanceCore",
        )
        assert self.profile.role  # noqa: S101 - it has just been given one
        self.role: aws_iam.IRole = self.profile.role

    def launch(
        self, settings: TrainingSettings, network: Network, storage: Storage, permissions: Permissions
    ) -> aws_ec2.CfnLaunchTemplate:
        """Make the template, and let the instance assume the roles of jobs and write their log."""
        storage.logs.grant_write(self.role)
        let_pull(self.role, [settings.gpu_image])
        self.role.add_to_principal_policy(
            aws_iam.PolicyStatement(
                actions=["sts:AssumeRole"],
                resources=[role.role_arn for name, role in permissions.roles.items() if TRAINING[name].uses_gpu],
            )
        )
        tags = [{"key": "Name", "value": Aws.STACK_NAME}, {"key": EXPECTED_TERMINATION, "value": "its training ends"}]
        template = launch_template(
            self._stack,
            "OneOffLaunchTemplate",
            volume_gib=settings.volume_gib,
            tags_in_metadata=True,
            image_id=settings.machine_image,
            instance_type=INSTANCE_TYPE,
            instance_initiated_shutdown_behavior="terminate",
            iam_instance_profile=aws_ec2.CfnLaunchTemplate.IamInstanceProfileProperty(
                arn=self.profile.instance_profile_arn
            ),
            network_interfaces=[
                aws_ec2.CfnLaunchTemplate.NetworkInterfaceProperty(
                    device_index=0,
                    associate_public_ip_address=True,
                    groups=[network.security_group.security_group_id],
                    subnet_id=Fn.select(0, network.subnet_ids),
                    delete_on_termination=True,
                )
            ],
            tag_specifications=[
                aws_ec2.CfnLaunchTemplate.TagSpecificationProperty(resource_type="instance", tags=tags)
            ],
            user_data=_user_data(settings, storage),
        )
        acknowledge(template, {"CKV_AWS_88": PUBLIC_ADDRESS})
        return template


def _user_data(settings: TrainingSettings, storage: Storage) -> str:
    """Return the script, with the values that it needs above it."""
    values = {
        "REGION": Aws.REGION,
        "LOG_GROUP": storage.logs.log_group_name,
        "IMAGE": settings.gpu_image,
        "SHARED_MEMORY_MIB": text(settings.shared_memory_mib),
        "LIMIT_SECONDS": text(settings.job_timeout_seconds),
        "GROUNDWORK_CODE": storage.code.url,
        TRAINING_NAMESPACE: own_namespace(),
    }
    known = [f"{name}={value}" for name, value in values.items()]
    loader = ["LOADER=$(cat <<'END'", storage.code.loader, "END", ")"]
    return Fn.base64("\n".join(["#!/bin/bash", *known, *loader, SCRIPT.read_text("utf-8")]))
