"""Settings of the stack Training."""

from __future__ import annotations

from typing import Literal, NamedTuple

from infra.settings.network import NetworkSettings
from infra.settings.setting import setting
from infra.settings.shared import (
    alert_email,
    alert_topic,
    code_bundle,
    data_deletion,
    encryption_key,
    log_retention,
    machine_image,
)
from infra.settings.types import (
    BucketName,
    BundleUrl,
    ContainerImage,
    EmailAddress,
    Items,
    KmsKeyArn,
    MachineImage,
    RetentionDays,
    TopicArn,
)


class Node(NamedTuple):
    """What one node of a multi-node job has: all of its instance except some memory."""

    vcpus: int
    memory_mib: int
    gpus: int
    efa: bool


#: The instance types that multi-node jobs may choose, which have GPUs, and what a job gets of each.
MULTI_NODE_INSTANCES = {
    "g4dn.xlarge": Node(4, 14000, 1, efa=False),
    "g4dn.12xlarge": Node(48, 180000, 4, efa=True),
    "g5.xlarge": Node(4, 14000, 1, efa=False),
    "g5.12xlarge": Node(48, 180000, 4, efa=True),
    "g6.xlarge": Node(4, 14000, 1, efa=False),
    "g6.12xlarge": Node(48, 180000, 4, efa=True),
}
MultiNodeInstance = Literal["g4dn.xlarge", "g4dn.12xlarge", "g5.xlarge", "g5.12xlarge", "g6.xlarge", "g6.12xlarge"]


class TrainingSettings(NetworkSettings):
    """Training jobs on AWS Batch, which costs nothing while idle."""

    code: BundleUrl = code_bundle(group="Job")
    image: ContainerImage = setting(
        "public.ecr.aws/deep-learning-containers/pytorch:2.13-cpu-amzn2023",
        "Container image with Python and PyTorch.",
        group="Job",
        hint="a container image",
    )
    gpu_image: ContainerImage = setting(
        "public.ecr.aws/deep-learning-containers/pytorch:2.13-cu133-amzn2023",
        "Container image with Python, PyTorch and CUDA, for jobs with a GPU.",
        group="Job",
        hint="a container image",
    )
    job_vcpus: int = setting(4, "vCPUs of a job.", group="Job", ge=1, le=192)
    job_memory_mib: int = setting(7168, "Memory of a job, in MiB.", group="Job", ge=512, le=1536000)
    job_gpus: int = setting(1, "GPUs of a job in the GPU queue.", group="Job", ge=1, le=8)
    shared_memory_mib: int = setting(
        2048, "Shared memory of a job (data loaders' workers exchange batches there), in MiB.", group="Job", ge=64
    )
    job_timeout_seconds: int = setting(
        21600, "Longest time an attempt may run, in seconds; then the job fails.", group="Job", ge=60
    )
    job_attempts: int = setting(
        10,
        "Attempts; each host that is reclaimed takes one. A job that fails by itself is not repeated.",
        group="Job",
        ge=1,
        le=10,
    )
    instance_types: Items = setting(
        ["m7i", "c7i", "m6i", "c6i"],
        "Instance types or families of the CPU queue; more choice finds spot capacity sooner.",
        group="Capacity",
        kind="CommaDelimitedList",
        min_length=1,
    )
    gpu_instance_types: Items = setting(
        ["g4dn", "g5", "g6"],
        "Instance types or families of the GPU queue.",
        group="Capacity",
        kind="CommaDelimitedList",
        min_length=1,
    )
    multi_node_instance_type: MultiNodeInstance = setting(
        "g4dn.xlarge", "Instance type of multi-node jobs; 12xlarge has EFA.", group="Capacity"
    )
    machine_image: MachineImage = machine_image(
        "resolve:ssm:/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-amazon-linux-2023/latest/ami-id",
        "Machine image of a one-off instance, which EC2 looks up at each launch: Docker, NVIDIA's driver.",
        group="Capacity",
    )
    maximum_vcpus: int = setting(
        16, "Most vCPUs in use at one time, for each kind of instance.", group="Capacity", ge=1, le=10000
    )
    volume_gib: int = setting(100, "Size of an instance's encrypted volume, in GiB.", group="Capacity", ge=75, le=16384)
    runnable_limit_seconds: int = setting(
        1800,
        "A job that waits this long for capacity at the head of the queue is cancelled, in seconds.",
        group="Capacity",
        ge=600,
        le=86400,
    )
    email: EmailAddress = alert_email("Address for mails on failed and stuck jobs and for alarms", group="Monitoring")
    topic_arn: TopicArn = alert_topic(group="Monitoring")
    artifact_bucket: BucketName = setting(
        "",
        "Existing bucket for artifacts, whose encryption, versions and lifecycle stay as its owner made them.",
        empty="the stack makes its own",
        group="Logs and data",
        console=False,
    )
    log_retention_days: RetentionDays = log_retention()
    infrequent_access_days: int = setting(
        30, "Age at which training data moves to cheaper storage, in days.", group="Logs and data", ge=30, le=3650
    )
    kms_key_arn: KmsKeyArn = encryption_key()
    delete_data: bool = data_deletion("its buckets (if empty) and logs")
