"""Training jobs on AWS Batch: buckets for data and artifacts, a queue that scales to zero, a dashboard."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aws_cdk import (
    Aws,
    Duration,
    Stack,
    aws_batch,
    aws_cloudwatch,
    aws_iam,
)
from constructs import Construct

from infra.code import CodeBundle, command
from infra.config import Config
from infra.guardrails import acknowledge, data_policy
from infra.instances import instance_profile, launch_template
from infra.logs import log_group
from infra.network import Network
from infra.parameters import text
from infra.stack import GroundworkStack
from infra.training.storage import artifact_bucket, data_bucket

METRICS = "Groundwork/Training"


@dataclass(frozen=True)
class Job:
    """A workload's job: what it reads, and how long it trains unless its submitter says otherwise.

    Attributes:
        workload: The workload's name.
        data: Prefix of its data in the data bucket.
        epochs: Passes over the data.
    """

    workload: str
    data: str
    epochs: int

    @property
    def name(self) -> str:
        """Its name in the template: `DigitClassifier` for `digit-classifier`."""
        return "".join(word.title() for word in self.workload.split("-"))


JOBS = (
    Job("digit-classifier", data="mnist", epochs=1),
    Job("digit-gan", data="mnist", epochs=8),
    Job("delivery-time", data="delivery", epochs=20),
    Job("player-position", data="nfl", epochs=30),
)


class Training(GroundworkStack):
    """Where data lies, where jobs run, and where their results and metrics go."""

    DESCRIPTION = "Training jobs on AWS Batch, with their data, artifacts and metrics."

    def __init__(self, scope: Construct, name: str, config: Config | Callable[[Stack], Config], **options: Any) -> None:
        super().__init__(scope, name, config, **options)
        self.settings = self.config.training
        self.policy = data_policy(
            delete_data=self.settings.delete_data, allow_data_deletion=self.config.allow_data_deletion
        )
        self.heading("What jobs read, write and print.")
        self.data = data_bucket(self, infrequent_access_days=self.settings.infrequent_access_days, policy=self.policy)
        self.artifacts = artifact_bucket(self, old_artifact_days=self.settings.old_artifact_days, policy=self.policy)
        self.logs = log_group(self, "JobLogs", self.settings.log_retention_days, self.policy)
        self.heading("Where jobs run: spot instances from zero, and the queue before them.")
        network = Network(
            self, "Network", self.settings, log_retention_days=self.settings.log_retention_days, policy=self.policy
        )
        queue = self._queue("CpuQueue", [self._compute("Cpu", network)])
        self.heading("The jobs.")
        self.code = CodeBundle(self, "CodeBundle", self.settings.code)
        self.execution_role = self._execution_role()
        definitions = {job: self._job_definition(job) for job in JOBS}
        self.heading("What the jobs measure.")
        dashboard = self._dashboard()

        self.output("DataBucketName", self.data.bucket_name, "Holds the data that jobs read.")
        self.output("ArtifactBucketName", self.artifacts.bucket_name, "Holds what jobs write: models, figures.")
        self.output("JobQueueArn", queue.attr_job_queue_arn, "Submit jobs here.")
        for job, definition in definitions.items():
            self.output(f"{job.name}JobDefinitionArn", definition.ref, f"Job definition: trains {job.workload}.")
        self.output("DashboardName", dashboard.dashboard_name, "The training metrics in CloudWatch.")
        self.output("LogGroupName", self.logs.log_group_name, "Holds what jobs print.")

    def _compute(self, name: str, network: Network) -> aws_batch.CfnComputeEnvironment:
        """Spot instances from zero, where capacity is cheap and deep; Batch's own role of the account runs it."""
        settings = self.settings
        profile = instance_profile(
            self,
            "Instance",
            purpose="Lets the container agent of ECS run Batch jobs.",
            managed_policy="service-role/AmazonEC2ContainerServiceforEC2Role",
        )
        template = launch_template(self, f"{name}LaunchTemplate", volume_gib=settings.volume_gib)
        environment = aws_batch.CfnComputeEnvironment(
            self,
            f"{name}Compute",
            type="MANAGED",
            state="ENABLED",
            replace_compute_environment=False,  # change in place, so that queues keep working
            compute_resources=aws_batch.CfnComputeEnvironment.ComputeResourcesProperty(
                type="SPOT",
                allocation_strategy="SPOT_PRICE_CAPACITY_OPTIMIZED",
                minv_cpus=0,
                maxv_cpus=settings.maximum_vcpus,
                instance_types=settings.instance_types,
                instance_role=profile.instance_profile_arn,
                subnets=network.subnet_ids,
                security_group_ids=[network.security_group.security_group_id],
                ec2_configuration=[
                    aws_batch.CfnComputeEnvironment.Ec2ConfigurationObjectProperty(image_type="ECS_AL2023")
                ],
                launch_template=aws_batch.CfnComputeEnvironment.LaunchTemplateSpecificationProperty(
                    launch_template_id=template.ref, version=template.attr_latest_version_number
                ),
                update_to_latest_image_version=True,
            ),
        )
        environment.node.add_dependency(*network.routes)
        return environment

    def _queue(self, name: str, environments: list[aws_batch.CfnComputeEnvironment]) -> aws_batch.CfnJobQueue:
        """A queue that prefers the first environment, and gives up on jobs for which no capacity comes."""
        return aws_batch.CfnJobQueue(
            self,
            name,
            priority=1,
            state="ENABLED",
            compute_environment_order=[
                aws_batch.CfnJobQueue.ComputeEnvironmentOrderProperty(
                    compute_environment=environment.attr_compute_environment_arn, order=order
                )
                for order, environment in enumerate(environments, start=1)
            ],
            job_state_time_limit_actions=[
                aws_batch.CfnJobQueue.JobStateTimeLimitActionProperty(
                    action="CANCEL",
                    state="RUNNABLE",
                    max_time_seconds=self.settings.runnable_limit_seconds,
                    reason=reason,
                )
                for reason in (
                    "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY",
                    "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE",
                    "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT",
                )
            ],
        )

    def _job_definition(self, job: Job) -> aws_batch.CfnJobDefinition:
        settings = self.settings
        job_role = self._job_role(f"{job.name}JobRole", job.workload)
        definition = aws_batch.CfnJobDefinition
        return definition(
            self,
            f"{job.name}Job",
            type="container",
            platform_capabilities=["EC2"],
            propagate_tags=True,
            parameters={
                "data": f"s3://{self.data.bucket_name}/{job.data}",
                "output": f"s3://{self.artifacts.bucket_name}/{job.workload}",
                "epochs": str(job.epochs),
            },
            container_properties=definition.ContainerPropertiesProperty(
                image=settings.image,
                command=command(
                    *("train", job.workload, "--data", "Ref::data", "--output", "Ref::output"),
                    *("--epochs", "Ref::epochs", "--metrics", "cloudwatch"),
                ),
                environment=[
                    definition.EnvironmentProperty(name=name, value=value)
                    for name, value in self.code.environment().items()
                ],
                resource_requirements=[
                    definition.ResourceRequirementProperty(type="VCPU", value=text(settings.job_vcpus)),
                    definition.ResourceRequirementProperty(type="MEMORY", value=text(settings.job_memory_mib)),
                ],
                linux_parameters=definition.LinuxParametersProperty(
                    init_process_enabled=True, shared_memory_size=settings.shared_memory_mib
                ),
                log_configuration=definition.LogConfigurationProperty(
                    log_driver="awslogs",
                    options={
                        "awslogs-group": self.logs.log_group_name,
                        "awslogs-region": Aws.REGION,
                        "awslogs-stream-prefix": job.workload,
                    },
                ),
                job_role_arn=job_role.role_arn,
                execution_role_arn=self.execution_role.role_arn,
            ),
            retry_strategy=definition.RetryStrategyProperty(
                attempts=settings.job_attempts,
                evaluate_on_exit=[
                    # The host was reclaimed (spot) or failed: not the job's fault.
                    definition.EvaluateOnExitProperty(action="RETRY", on_status_reason="Host EC2*"),
                    definition.EvaluateOnExitProperty(action="EXIT", on_reason="*"),
                ],
            ),
            timeout=definition.TimeoutProperty(attempt_duration_seconds=settings.job_timeout_seconds),
        )

    def _task_role(self, name: str, purpose: str) -> aws_iam.Role:
        return aws_iam.Role(
            self, name, assumed_by=aws_iam.ServicePrincipal("ecs-tasks.amazonaws.com"), description=purpose
        )

    def _execution_role(self) -> aws_iam.Role:
        role = self._task_role("ExecutionRole", "Lets the container agent pull images and write the jobs' logs.")
        self.logs.grant_write(role)
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

    def _job_role(self, name: str, workload: str) -> aws_iam.Role:
        """A job reads its code and the data, reads and writes its own artifacts, and writes training metrics.

        It deletes its checkpoints when it has finished; the bucket's versions keep even those for a time.
        """
        role = self._task_role(name, f"Permissions of {workload} jobs.")
        data = self.data.arn_for_objects("*")
        artifacts = self.artifacts.arn_for_objects(f"{workload}/*")
        for actions, resources in (
            (["s3:GetObject"], [self.code.arn, data, artifacts]),
            (["s3:PutObject", "s3:AbortMultipartUpload", "s3:DeleteObject"], [artifacts]),
            (["s3:ListBucket"], [self.data.bucket_arn, self.artifacts.bucket_arn]),
        ):
            role.add_to_policy(aws_iam.PolicyStatement(actions=actions, resources=resources))
        role.add_to_policy(
            aws_iam.PolicyStatement(
                actions=["cloudwatch:PutMetricData"],
                resources=["*"],
                conditions={"StringEquals": {"cloudwatch:namespace": METRICS}},
            )
        )
        acknowledge(
            role,
            {
                "IAM5[Resource::*]": "Metrics know no resource; the namespace confines the permission.",
                "IAM5[Resource::<DataBucket.Arn>/*]": "Every object of the data bucket is training data.",
                f"IAM5[Resource::<ArtifactBucket.Arn>/{workload}/*]": "A job names its own files, below its name.",
            },
        )
        return role

    def _dashboard(self) -> aws_cloudwatch.Dashboard:
        """A row of graphs for each workload."""

        def graph(title: str, workload: str, *names: str) -> aws_cloudwatch.GraphWidget:
            metrics = [
                aws_cloudwatch.Metric(
                    namespace=METRICS,
                    metric_name=name,
                    dimensions_map={"Workload": workload},
                    period=Duration.minutes(1),
                    label=name,
                )
                for name in names
            ]
            return aws_cloudwatch.GraphWidget(title=title, left=list(metrics), width=6, height=6)

        dashboard = aws_cloudwatch.Dashboard(self, "Dashboard")
        for workload in (job.workload for job in JOBS):
            dashboard.add_widgets(
                graph(f"{workload}: loss", workload, "TrainingLoss", "ValidationLoss"),
                graph(f"{workload}: accuracy", workload, "ValidationAccuracy"),
                graph(f"{workload}: samples per second", workload, "SamplesPerSecond"),
                graph(f"{workload}: machine, %", workload, "CpuUtilization", "MemoryUtilization", "GpuUtilization"),
            )
        return dashboard
