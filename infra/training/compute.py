"""Define where jobs run: compute environments that scale from zero, and their queues."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aws_cdk import CfnCondition, CfnMapping, Fn, Stack, aws_batch, aws_ec2, aws_iam

from infra.constructs.instances import instance_profile, launch_template
from infra.constructs.jobs import job_queue
from infra.constructs.network import Network
from infra.constructs.security_groups import let_in, let_out, security_group
from infra.guardrails import acknowledge
from infra.settings.training import MULTI_NODE_INSTANCES, TrainingSettings

PUBLIC_ADDRESS = "The way out without a NAT gateway, which would bill while idle; the security group lets nothing in."
#: Batch joins this with user data of its own, and takes only MIME multipart for that. An instance that EC2 takes back
#: is there for two more minutes: unless its agent drains it, Batch starts the next attempt of a job there as well.
#: See https://docs.aws.amazon.com/batch/latest/userguide/launch-templates.html and
#: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/spot-instance-draining-linux-container.html.
USER_DATA = """\
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="==GROUNDWORK=="

--==GROUNDWORK==
Content-Type: text/x-shellscript; charset="us-ascii"

#!/bin/bash
echo ECS_ENABLE_SPOT_INSTANCE_DRAINING=true >> /etc/ecs/ecs.config

--==GROUNDWORK==--
"""
SHARE_DECAY_SECONDS = 3600  # what a workload used an hour ago counts half


@dataclass(frozen=True)
class Queues:
    """The queues, by what their jobs need.

    Attributes:
        cpu: For jobs without a GPU.
        gpu: For jobs with the GPUs of one instance.
        multi_node: For jobs over several instances.
    """

    cpu: aws_batch.CfnJobQueue
    gpu: aws_batch.CfnJobQueue
    multi_node: aws_batch.CfnJobQueue


class Nodes:
    """The resources of each node of a multi-node job, by the instance type in the settings.

    Attributes:
        vcpus: Number of vCPUs for the job, as text for the template.
        memory_mib: Memory for the job, as text for the template; less than the instance has.
        gpus: Number of GPUs for the job, as text for the template.
        interface: Type of the network interface: `efa` where the instance has it.
        has_efa: The condition that the instance has EFA.
    """

    def __init__(self, stack: Stack, instance_type: str) -> None:
        table = CfnMapping(
            stack,
            "NodeResources",
            mapping={
                name: {
                    "Vcpus": str(node.vcpus),
                    "Memory": str(node.memory_mib),
                    "Gpus": str(node.gpus),
                    "Interface": "efa" if node.efa else "interface",
                }
                for name, node in MULTI_NODE_INSTANCES.items()
            },
            lazy=False,
        )
        self.instance_type = instance_type
        self.vcpus, self.memory_mib, self.gpus, self.interface = (
            Fn.find_in_map(table.logical_id, instance_type, name) for name in ("Vcpus", "Memory", "Gpus", "Interface")
        )
        self.has_efa = CfnCondition(stack, "HasEfa", expression=Fn.condition_equals(self.interface, "efa"))


def queues(stack: Stack, settings: TrainingSettings, network: Network, nodes: Nodes) -> Queues:
    """Make three queues: on spot instances, or on-demand ones if there are none; nothing runs until a job waits."""
    profile = instance_profile(
        stack,
        "Instance",
        purpose="Lets the container agent of ECS run Batch jobs.",
        managed_policy="service-role/AmazonEC2ContainerServiceforEC2Role",
    )
    template = launch_template(stack, "LaunchTemplate", volume_gib=settings.volume_gib, user_data=Fn.base64(USER_DATA))
    fair_share = aws_batch.CfnSchedulingPolicy(
        stack,
        "FairShare",
        fairshare_policy=aws_batch.CfnSchedulingPolicy.FairsharePolicyProperty(share_decay_seconds=SHARE_DECAY_SECONDS),
    )

    def environment(
        name: str, image: str, launch: aws_ec2.CfnLaunchTemplate, **resources: Any
    ) -> aws_batch.CfnComputeEnvironment:
        in_network = {
            "security_group_ids": [network.security_group.security_group_id],
            "subnets": network.subnet_ids,
        }
        return _environment(
            stack, name, settings, network, profile, image=image, template=launch, resources=in_network | resources
        )

    def instances(name: str, image: str, types: list[str]) -> list[aws_batch.CfnComputeEnvironment]:
        """Make spot instances, where capacity is cheap and deep, and on-demand ones, for when there are none."""
        kinds = {
            "Spot": {"type": "SPOT", "allocation_strategy": "SPOT_PRICE_CAPACITY_OPTIMIZED"},
            "OnDemand": {"type": "EC2", "allocation_strategy": "BEST_FIT_PROGRESSIVE"},
        }
        return [
            environment(f"{name}{kind}", image, template, **{"instance_types": types, **options})
            for kind, options in kinds.items()
        ]

    def multi_node() -> aws_batch.CfnComputeEnvironment:
        """Make instances of one type, close together in one zone; Batch runs such jobs only on demand."""
        group = _nodes_security_group(stack, network)
        return environment(
            "MultiNode",
            "ECS_AL2023_NVIDIA",
            _nodes_template(stack, settings, nodes, group),
            type="EC2",
            allocation_strategy="BEST_FIT_PROGRESSIVE",
            instance_types=[settings.multi_node_instance_type],
            placement_group=aws_ec2.CfnPlacementGroup(stack, "Together", strategy="cluster").ref,
            subnets=[Fn.select(0, network.subnet_ids)],
            security_group_ids=[group.security_group_id],
        )

    def queue(name: str, *environments: aws_batch.CfnComputeEnvironment) -> aws_batch.CfnJobQueue:
        """Make a queue that shares capacity fairly between workloads."""
        return job_queue(
            stack,
            name,
            environments,
            longest_wait_seconds=settings.runnable_limit_seconds,
            scheduling_policy_arn=fair_share.attr_arn,
        )

    return Queues(
        cpu=queue("CpuQueue", *instances("Cpu", "ECS_AL2023", settings.instance_types)),
        gpu=queue("GpuQueue", *instances("Gpu", "ECS_AL2023_NVIDIA", settings.gpu_instance_types)),
        multi_node=queue("MultiNodeQueue", multi_node()),
    )


def _environment(
    stack: Stack,
    name: str,
    settings: TrainingSettings,
    network: Network,
    profile: aws_iam.InstanceProfile,
    *,
    image: str,
    template: aws_ec2.CfnLaunchTemplate,
    resources: dict[str, Any],
) -> aws_batch.CfnComputeEnvironment:
    """Make a compute environment that scales from zero and that the account's role for Batch runs."""
    environment = aws_batch.CfnComputeEnvironment(
        stack,
        name,
        type="MANAGED",
        replace_compute_environment=False,  # change in place, so that queues keep working
        compute_resources=aws_batch.CfnComputeEnvironment.ComputeResourcesProperty(
            minv_cpus=0,
            maxv_cpus=settings.maximum_vcpus,
            instance_role=profile.instance_profile_arn,
            ec2_configuration=[aws_batch.CfnComputeEnvironment.Ec2ConfigurationObjectProperty(image_type=image)],
            launch_template=aws_batch.CfnComputeEnvironment.LaunchTemplateSpecificationProperty(
                launch_template_id=template.ref, version=template.attr_latest_version_number
            ),
            update_to_latest_image_version=True,
            **resources,
        ),
    )
    environment.node.add_dependency(*network.routes)
    return environment


def _nodes_security_group(stack: Stack, network: Network) -> aws_ec2.SecurityGroup:
    """Make a group whose nodes reach each other on every port, as EFA needs; nothing else reaches them."""
    group = security_group(stack, "Nodes", network.vpc, "Among themselves; HTTPS out.", https_out="HTTPS to AWS")
    let_in(stack, "FromNodes", group, group, port=None, description="Nodes of a job")
    let_out(stack, "ToNodes", group, group, port=None, description="Nodes of a job")
    return group


def _nodes_template(
    stack: Stack, settings: TrainingSettings, nodes: Nodes, group: aws_ec2.SecurityGroup
) -> aws_ec2.CfnLaunchTemplate:
    interface = aws_ec2.CfnLaunchTemplate.NetworkInterfaceProperty(
        device_index=0,
        interface_type=nodes.interface,
        groups=[group.security_group_id],
        associate_public_ip_address=True,
        delete_on_termination=True,
    )
    template = launch_template(
        stack,
        "NodesLaunchTemplate",
        volume_gib=settings.volume_gib,
        network_interfaces=[interface],
        user_data=Fn.base64(USER_DATA),
    )
    acknowledge(template, {"CKV_AWS_88": PUBLIC_ADDRESS})
    return template
