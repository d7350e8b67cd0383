"""Define the job definitions for each workload and kind of machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import Aws, Fn, Stack, aws_batch, aws_iam

from contract.errors import TemporaryError
from contract.metrics import TRAINING_NAMESPACE
from contract.workloads import TRAINING, TrainingWorkload
from infra.constructs.permissions import own_namespace
from infra.parameters import text
from infra.settings.training import TrainingSettings
from infra.training.compute import Nodes
from infra.training.permissions import Permissions
from infra.training.storage import Storage

CACHE = "/var/cache/groundwork"  # of the instance: what one job has read from S3, the next one need not
_DEFINITION = aws_batch.CfnJobDefinition
#: EFA registers memory that the kernel must not move; without this limit NCCL cannot use it. See
#: https://docs.aws.amazon.com/batch/latest/userguide/efa.html.
MEMLOCK = _DEFINITION.UlimitProperty(name="memlock", soft_limit=-1, hard_limit=-1)


def definitions(
    stack: Stack, settings: TrainingSettings, storage: Storage, permissions: Permissions, nodes: Nodes
) -> dict[str, aws_batch.CfnJobDefinition]:
    """Make the job definitions by name: to train each workload, also on a GPU or several nodes, and to predict.

    Where the parameter `task` is `tune` instead of `train`, the same options search for better settings.
    """
    factory = _Factory(stack, settings, storage, permissions)
    defined = {}
    for workload in TRAINING.values():
        for machine in workload.machines:
            defined[workload.job(machine)] = (
                factory.multi_node(workload, nodes)
                if machine == "multi-node"
                else factory.training(workload, gpu=machine == "gpu")
            )
    return {**defined, "PredictJob": factory.predict("PredictJob")}


def _arguments(workload: TrainingWorkload) -> list[str]:
    locations = ["--data", "Ref::data", "--output", "Ref::output"]
    return ["Ref::task", workload.name, *locations, "--epochs", "Ref::epochs", "--metrics", "cloudwatch"]


class _Factory:
    """A factory that holds what all job definitions of a stack share."""

    def __init__(self, stack: Stack, settings: TrainingSettings, storage: Storage, permissions: Permissions) -> None:
        self._stack, self._settings, self._storage, self._permissions = stack, settings, storage, permissions

    def training(self, workload: TrainingWorkload, *, gpu: bool = False) -> aws_batch.CfnJobDefinition:
        """Make the definition of training or tuning in one container."""
        image = self._settings.gpu_image if gpu else self._settings.image
        role = self._permissions.roles[workload.name]
        container = self._container(workload.name, role, image, _arguments(workload), self._resources(gpu=gpu))
        name = workload.job("gpu" if gpu else "cpu")
        return self._definition(name, self._parameters(workload), type="container", container_properties=container)

    def multi_node(self, workload: TrainingWorkload, nodes: Nodes) -> aws_batch.CfnJobDefinition:
        """Make the definition of training over several instances, two by default, with a container on each."""
        efa = {"HostPath": "/dev/infiniband/uverbs0", "Permissions": ["READ", "WRITE", "MKNOD"]}
        container = self._container(
            workload.name,
            self._permissions.roles[workload.name],
            self._settings.gpu_image,
            [*_arguments(workload), "--strategy", "ddp"],
            {"VCPU": nodes.vcpus, "MEMORY": nodes.memory_mib, "GPU": nodes.gpus},
            devices=Fn.condition_if(nodes.has_efa.logical_id, [efa], Aws.NO_VALUE),
            unlimited_memlock=True,
        )
        every = _DEFINITION.NodeRangePropertyProperty(target_nodes="0:", container=container)
        properties = _DEFINITION.NodePropertiesProperty(num_nodes=2, main_node=0, node_range_properties=[every])
        name = workload.job("multi-node")
        return self._definition(name, self._parameters(workload), type="multinode", node_properties=properties)

    def predict(self, name: str) -> aws_batch.CfnJobDefinition:
        """Make the definition of prediction with a finished run of any workload."""
        arguments = [
            "predict",
            "Ref::workload",
            "--model",
            "Ref::model",
            "--input",
            "Ref::data",
            "--output",
            "Ref::output",
        ]
        first = next(iter(TRAINING.values()))
        run = self._parameters(first)
        parameters = {
            "workload": first.name,
            "model": run["output"],
            "data": f"{run['data']}/t10k-images-idx3-ubyte.gz",
            "output": f"s3://{self._storage.artifacts.bucket_name}/predictions/predictions.csv",
        }
        container = self._container(
            "predict", self._permissions.predict, self._settings.image, arguments, self._resources(gpu=False)
        )
        return self._definition(name, parameters, type="container", container_properties=container)

    def _resources(self, *, gpu: bool) -> dict[str, str]:
        settings = self._settings
        resources = {"VCPU": text(settings.job_vcpus), "MEMORY": text(settings.job_memory_mib)}
        return resources | ({"GPU": text(settings.job_gpus)} if gpu else {})

    def _parameters(self, workload: TrainingWorkload) -> dict[str, str]:
        return {
            "task": "train",
            "data": f"s3://{self._storage.data.bucket_name}/{workload.data_set}",
            "output": f"s3://{self._storage.artifacts.bucket_name}/{workload.name}",
            "epochs": str(workload.epochs),
        }

    def _definition(self, name: str, parameters: dict[str, str], **kind: Any) -> aws_batch.CfnJobDefinition:
        return _DEFINITION(
            self._stack,
            name,
            propagate_tags=True,
            parameters=parameters,
            retry_strategy=_DEFINITION.RetryStrategyProperty(
                attempts=self._settings.job_attempts,
                evaluate_on_exit=[
                    # The host was reclaimed (spot) or failed, or a service is away: not the job's fault. All else is.
                    _DEFINITION.EvaluateOnExitProperty(action="RETRY", on_status_reason="Host EC2*"),
                    _DEFINITION.EvaluateOnExitProperty(action="RETRY", on_exit_code=str(TemporaryError.exit_code)),
                    _DEFINITION.EvaluateOnExitProperty(action="EXIT", on_reason="*"),
                ],
            ),
            timeout=_DEFINITION.TimeoutProperty(attempt_duration_seconds=self._settings.job_timeout_seconds),
            **kind,
        )

    def _container(
        self,
        log_prefix: str,
        role: aws_iam.IRole,
        image: str,
        arguments: Sequence[str],
        resources: Mapping[str, str],
        *,
        unlimited_memlock: bool = False,
        **linux: Any,
    ) -> aws_batch.CfnJobDefinition.ContainerPropertiesProperty:
        code = self._storage.code
        variables = code.environment() | {TRAINING_NAMESPACE: own_namespace()}
        return _DEFINITION.ContainerPropertiesProperty(
            image=image,
            command=code.command(*arguments),
            environment=[_DEFINITION.EnvironmentProperty(name=key, value=value) for key, value in variables.items()],
            resource_requirements=[
                _DEFINITION.ResourceRequirementProperty(type=kind, value=amount) for kind, amount in resources.items()
            ],
            volumes=[
                _DEFINITION.VolumesProperty(name="cache", host=_DEFINITION.VolumesHostProperty(source_path=CACHE))
            ],
            mount_points=[_DEFINITION.MountPointsProperty(source_volume="cache", container_path=CACHE)],
            linux_parameters=_DEFINITION.LinuxParametersProperty(
                init_process_enabled=True, shared_memory_size=self._settings.shared_memory_mib, **linux
            ),
            ulimits=[MEMLOCK] if unlimited_memlock else None,
            log_configuration=_DEFINITION.LogConfigurationProperty(
                log_driver="awslogs",
                options={
                    "awslogs-group": self._storage.logs.log_group_name,
                    "awslogs-stream-prefix": log_prefix,
                },
            ),
            job_role_arn=role.role_arn,
            execution_role_arn=self._permissions.execution.role_arn,
        )
