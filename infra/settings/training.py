"""Settings of the stack Training."""

from infra.settings.network import NetworkSettings
from infra.settings.setting import Items, RetentionDays, setting


class TrainingSettings(NetworkSettings):
    """Training jobs on AWS Batch, which costs nothing while idle."""

    code: str = setting(
        "",
        "Bundle of the workloads' code: a zip file in S3 that holds the folder workloads.",
        empty="the CDK packs and uploads the folder itself",
        group="Job",
        pattern=r"^(s3://[a-z0-9.-]+/\S+\.zip)?$",
        hint="s3://bucket/key.zip",
        console="required",
    )
    image: str = setting(
        "public.ecr.aws/deep-learning-containers/pytorch:2.13-cpu-amzn2023",
        "Container image with Python and PyTorch in which the job runs.",
        group="Job",
        pattern=r"^[\w./:@-]+$",
        hint="a container image, such as public.ecr.aws/name/image:tag",
    )
    job_vcpus: int = setting(4, "vCPUs of a job.", group="Job", ge=1, le=192)
    job_memory_mib: int = setting(7168, "Memory of a job, in MiB.", group="Job", ge=512, le=1536000)
    shared_memory_mib: int = setting(
        2048, "Shared memory of a job (data loaders' workers exchange batches there), in MiB.", group="Job", ge=64
    )
    job_timeout_seconds: int = setting(
        21600, "Longest time an attempt may run, in seconds; then the job fails.", group="Job", ge=60
    )
    job_attempts: int = setting(
        3, "Attempts when the host is reclaimed; a job that fails by itself is not repeated.", group="Job", ge=1, le=10
    )
    instance_types: Items = setting(
        ["m7i", "c7i", "m6i", "c6i"],
        "Instance types or families that may run jobs; more choice finds spot capacity sooner.",
        group="Capacity",
        kind="CommaDelimitedList",
        min_length=1,
    )
    maximum_vcpus: int = setting(16, "Most vCPUs in use at one time.", group="Capacity", ge=1, le=10000)
    volume_gib: int = setting(50, "Size of an instance's encrypted volume, in GiB.", group="Capacity", ge=30, le=16384)
    runnable_limit_seconds: int = setting(
        1800,
        "A job that waits this long for capacity at the head of the queue is cancelled, in seconds.",
        group="Capacity",
        ge=600,
        le=86400,
    )
    log_retention_days: RetentionDays = setting(90, "How long logs are kept, in days.", group="Logs and data")
    infrequent_access_days: int = setting(
        30, "Age at which training data moves to cheaper storage, in days.", group="Logs and data", ge=30, le=3650
    )
    old_artifact_days: int = setting(
        90, "How long replaced versions of artifacts are kept, in days.", group="Logs and data", ge=1, le=3650
    )
    delete_data: bool = setting(
        default=False,
        description="Let removal of the stack delete its buckets (if empty) and logs, if allow_data_deletion agrees.",
        group="Logs and data",
        console=False,
    )
