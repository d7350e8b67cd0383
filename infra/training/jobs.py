"""The jobs: a definition for each workload and kind of machine, and what each job may do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aws_cdk import Aws, Fn, Stack, aws_batch, aws_iam, aws_logs, aws_s3

from infra.code import CodeBundle
from infra.guardrails import acknowledge
from infra.parameters import text
from infra.settings.training import TrainingSettings
from infra.training.compute import Nodes

METRICS = "Groundwork/Training"
CACHE = "/var/cache/groundwork"  # of the instance: what one job has read from S3, the next one need not
INTERRUPTED = "75"  # the workloads' exit code when they were told to end and have written a checkpoint


@dataclass(frozen=True)
class Job:
    """A workload's jobs: what they read, and how long they train unless their submitter says otherwise.

    Attributes:
        workload: The workload's name.
        data: Prefix of its data in the data bucket.
        epochs: Passes over the data.
        uses_gpu: Whether it gains from a GPU.
        multi_node: Whether it may span several nodes.
        reads: Other workloads whose artifacts it reads.
    """

    workload: str
    data: str
    epochs: int
    uses_gpu: bool = False
    multi_node: bool = False
    reads: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its name in the template: `DigitClassifier` for `digit-classifier`."""
        return "".join(word.title() for word in self.workload.split("-"))


JOBS = (
    Job("digit-classifier", data="mnist", epochs=1, uses_gpu=True, multi_node=True),
    Job("digit-gan", data="mnist", epochs=8, uses_gpu=True, reads=("digit-classifier",)),
    Job("delivery-time", data="delivery", epochs=20),
    Job("player-position", data="nfl", epochs=30),
)


@dataclass(frozen=True)
class Storage:
    """Where jobs read and write.

    Attributes:
        data: Data sets, a prefix each.
        artifacts: Results, a prefix for each workload.
        logs: What jobs print.
        code: What they run.
    """

    data: aws_s3.Bucket
    artifacts: aws_s3.Bucket
    logs: aws_logs.LogGroup
    code: CodeBundle


class Permissions:
    """What jobs may do.

    Attributes:
        execution: the container agent's role: pull images, write logs.
        roles: for training and tuning, by workload; the GPU's are lent to one-off instances too.
        predict: for predictions with any of the models.
    """

    def __init__(self, stack: Stack, storage: Storage, *, one_off: aws_iam.IPrincipal) -> None:
        self._storage = storage
        self.execution = self._execution_role(stack)
        self._common = self._common_policy(stack)
        on_gpu = aws_iam.CompositePrincipal(_TASKS, one_off)
        self.roles = {job: self._job_role(stack, job, on_gpu if job.uses_gpu else _TASKS) for job in JOBS}
        self.predict = self._predict_role(stack)

    def _execution_role(self, stack: Stack) -> aws_iam.Role:
        purpose = "Lets the container agent pull images and write the jobs' logs."
        role = aws_iam.Role(stack, "ExecutionRole", assumed_by=_TASKS, description=purpose)
        self._storage.logs.grant_write(role)
        images = "arn:{}:ecr:{}:*:repository/*"
        role.add_to_policy(
            aws_iam.PolicyStatement(
                actions=["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
                resources=[images.format(Aws.PARTITION, Aws.REGION)],
            )
        )
        role.add_to_policy(aws_iam.PolicyStatement(actions=["ecr:GetAuthorizationToken"], resources=["*"]))
        any_image = f"IAM5[Resource::{images.format('<AWS::Partition>', '<AWS::Region>')}]"
        acknowledge(
            role,
            {
                any_image: "The image is a setting: any repository that lets us pull.",
                "IAM5[Resource::*]": "A token for ECR knows no resource.",
            },
        )
        return role

    def _common_policy(self, stack: Stack) -> aws_iam.ManagedPolicy:
        storage = self._storage
        policy = aws_iam.ManagedPolicy(stack, "JobPolicy", description="What every job does: code, lists, metrics.")
        policy.add_statements(
            storage.code.reading(),
            aws_iam.PolicyStatement(
                actions=["s3:ListBucket"], resources=[storage.data.bucket_arn, storage.artifacts.bucket_arn]
            ),
            aws_iam.PolicyStatement(
                actions=["cloudwatch:PutMetricData"],
                resources=["*"],
                conditions={"StringEquals": {"cloudwatch:namespace": METRICS}},
            ),
        )
        acknowledge(policy, {"IAM5[Resource::*]": "Metrics know no resource; the namespace confines the permission."})
        return policy

    def _job_role(self, stack: Stack, job: Job, assumed_by: aws_iam.IPrincipal) -> aws_iam.Role:
        """A job reads its own data, and reads and writes its own artifacts.

        It deletes its checkpoints when it has finished; the bucket's versions keep even those for a time.
        """
        data, artifacts = self._storage.data, self._storage.artifacts
        own = artifacts.arn_for_objects(f"{job.workload}/*")
        read = [data.arn_for_objects(f"{job.data}/*"), own]
        read += [artifacts.arn_for_objects(f"{other}/*") for other in job.reads]
        document = aws_iam.PolicyDocument(
            statements=[
                aws_iam.PolicyStatement(actions=["s3:GetObject"], resources=read),
                aws_iam.PolicyStatement(
                    actions=["s3:PutObject", "s3:AbortMultipartUpload", "s3:DeleteObject"], resources=[own]
                ),
            ]
        )
        role = aws_iam.Role(
            stack,
            f"{job.name}JobRole",
            assumed_by=assumed_by,
            description=f"Permissions of {job.workload} jobs.",
            managed_policies=[self._common],
            inline_policies={"Files": document},
        )
        folders = {
            f"<DataBucket.Arn>/{job.data}/*": "The files of a data set are not known beforehand.",
            **{
                f"<ArtifactBucket.Arn>/{name}/*": "A run names its own files, below its workload's name."
                for name in (job.workload, *job.reads)
            },
        }
        acknowledge(role, {f"IAM5[Resource::{folder}]": reason for folder, reason in folders.items()})
        return role

    def _predict_role(self, stack: Stack) -> aws_iam.Role:
        """It reads data and models, and writes below `predictions/` alone."""
        data, artifacts = self._storage.data.arn_for_objects("*"), self._storage.artifacts.arn_for_objects("*")
        predictions = self._storage.artifacts.arn_for_objects("predictions/*")
        statements = [
            aws_iam.PolicyStatement(actions=["s3:GetObject"], resources=[data, artifacts]),
            aws_iam.PolicyStatement(actions=["s3:PutObject"], resources=[predictions]),
        ]
        role = aws_iam.Role(
            stack,
            "PredictRole",
            assumed_by=_TASKS,
            description="Permissions of jobs that predict.",
            managed_policies=[self._common],
            inline_policies={"Files": aws_iam.PolicyDocument(statements=statements)},
        )
        reads = "Predictions are made from any data with any model."
        acknowledge(
            role,
            {
                "IAM5[Resource::<DataBucket.Arn>/*]": reads,
                "IAM5[Resource::<ArtifactBucket.Arn>/*]": reads,
                "IAM5[Resource::<ArtifactBucket.Arn>/predictions/*]": "Its submitter names the file.",
            },
        )
        return role


_TASKS = aws_iam.ServicePrincipal("ecs-tasks.amazonaws.com")
_DEFINITION = aws_batch.CfnJobDefinition


def definitions(
    stack: Stack, settings: TrainingSettings, storage: Storage, permissions: Permissions, nodes: Nodes
) -> dict[str, aws_batch.CfnJobDefinition]:
    """The job definitions by name: to train each workload, also on a GPU or several nodes; to predict with any.

    Where the parameter `task` is `tune` instead of `train`, the same options search for better settings.
    """
    factory = _Factory(stack, settings, storage, permissions)
    defined = {}
    for job in JOBS:
        defined[f"{job.name}Job"] = factory.training(job, f"{job.name}Job")
        if job.uses_gpu:
            defined[f"{job.name}GpuJob"] = factory.training(job, f"{job.name}GpuJob", gpu=True)
        if job.multi_node:
            defined[f"{job.name}MultiNodeJob"] = factory.multi_node(job, f"{job.name}MultiNodeJob", nodes)
    return {**defined, "PredictJob": factory.predict("PredictJob")}


def _arguments(job: Job) -> list[str]:
    locations = ["--data", "Ref::data", "--output", "Ref::output"]
    return ["Ref::task", job.workload, *locations, "--epochs", "Ref::epochs", "--metrics", "cloudwatch"]


class _Factory:
    """What all definitions of a stack have in common."""

    def __init__(self, stack: Stack, settings: TrainingSettings, storage: Storage, permissions: Permissions) -> None:
        self._stack, self._settings, self._storage, self._permissions = stack, settings, storage, permissions

    def training(self, job: Job, name: str, *, gpu: bool = False) -> aws_batch.CfnJobDefinition:
        """Training or tuning in one container."""
        image = self._settings.gpu_image if gpu else self._settings.image
        role = self._permissions.roles[job]
        container = self._container(job.workload, role, image, _arguments(job), self._resources(gpu=gpu))
        return self._definition(name, self._parameters(job), type="container", container_properties=container)

    def multi_node(self, job: Job, name: str, nodes: Nodes) -> aws_batch.CfnJobDefinition:
        """Training over several instances, a container on each; two unless its submitter says otherwise."""
        efa = {"HostPath": "/dev/infiniband/uverbs0", "Permissions": ["READ", "WRITE", "MKNOD"]}
        container = self._container(
            job.workload,
            self._permissions.roles[job],
            self._settings.gpu_image,
            [*_arguments(job), "--strategy", "ddp"],
            {"VCPU": nodes.vcpus, "MEMORY": nodes.memory_mib, "GPU": nodes.gpus},
            devices=Fn.condition_if(nodes.has_efa.logical_id, [efa], Aws.NO_VALUE),
        )
        every = _DEFINITION.NodeRangePropertyProperty(target_nodes="0:", container=container)
        properties = _DEFINITION.NodePropertiesProperty(num_nodes=2, main_node=0, node_range_properties=[every])
        return self._definition(name, self._parameters(job), type="multinode", node_properties=properties)

    def predict(self, name: str) -> aws_batch.CfnJobDefinition:
        """Prediction with a finished run of any workload."""
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
        run = self._parameters(JOBS[0])
        parameters = {
            "workload": JOBS[0].workload,
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

    def _parameters(self, job: Job) -> dict[str, str]:
        return {
            "task": "train",
            "data": f"s3://{self._storage.data.bucket_name}/{job.data}",
            "output": f"s3://{self._storage.artifacts.bucket_name}/{job.workload}",
            "epochs": str(job.epochs),
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
                    # The host was reclaimed (spot) or failed: not the job's fault. All else is.
                    _DEFINITION.EvaluateOnExitProperty(action="RETRY", on_status_reason="Host EC2*"),
                    _DEFINITION.EvaluateOnExitProperty(action="RETRY", on_exit_code=INTERRUPTED),
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
        **linux: Any,
    ) -> aws_batch.CfnJobDefinition.ContainerPropertiesProperty:
        code = self._storage.code
        return _DEFINITION.ContainerPropertiesProperty(
            image=image,
            command=code.command(*arguments),
            environment=[
                _DEFINITION.EnvironmentProperty(name=key, value=value) for key, value in code.environment().items()
            ],
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
