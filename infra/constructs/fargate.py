"""Jobs of AWS Batch on Fargate: nothing bills while none runs, and no job needs a machine of ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aws_cdk import Aws, RemovalPolicy, aws_batch, aws_ec2, aws_iam, aws_logs
from constructs import Construct, IDependable

from contract.errors import InputError
from infra.constructs.bundle import CodeBundle
from infra.constructs.jobs import job_queue
from infra.constructs.logs import log_group
from infra.constructs.permissions import let_pull

LONGEST_WAIT_SECONDS = 1800


class FargateJobs(Construct):
    """A queue that costs nothing while it is empty, one kind of job for it, and the permissions of its jobs.

        jobs = FargateJobs(self, "Jobs", group=clients, image=settings.image, description="Permissions of the jobs.",
                           log_retention_days=90, policy=self.policy)
        queue, job = jobs.make(
            subnet_ids=network.subnet_ids, routes=network.routes, code=settings.code,
            requirements="workloads/movie_rental/requirements.txt", arguments=["movie-rental", "verify"],
            timeout_seconds=3600, memory_mib=8192, vcpus=2, most_vcpus=8,
        )

    A job may read its code and describe its stack; what else it may do is added to its role.

    Attributes:
        role: The role of the jobs.
        execution: The role by which Fargate pulls the image and writes logs.
        group: The security group of the jobs.
        logs: The log group of what they print.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        group: aws_ec2.SecurityGroup,
        image: str,
        description: str,
        log_retention_days: int,
        policy: RemovalPolicy,
    ) -> None:
        """Make the roles and the log group.

        Args:
            scope: Where it stands.
            name: Its construct's name.
            group: The security group of the jobs, who must reach AWS and the registry of the image.
            image: The container image, with Python.
            description: Whose permissions the role of the jobs has.
            log_retention_days: How long what they print is kept.
            policy: What becomes of their logs when the stack goes.
        """
        super().__init__(scope, name)
        self.group, self._image = group, image
        self.logs: aws_logs.LogGroup = log_group(self, "Logs", log_retention_days, policy)
        tasks = aws_iam.ServicePrincipal("ecs-tasks.amazonaws.com")
        self.role = aws_iam.Role(self, "Role", assumed_by=tasks, description=description)
        self.execution = aws_iam.Role(
            self, "ExecutionRole", assumed_by=tasks, description="Lets Fargate pull the image and write the jobs' logs."
        )
        self.logs.grant_write(self.execution)
        let_pull(self.execution, [image])

    def make(
        self,
        *,
        subnet_ids: list[str],
        routes: Sequence[IDependable],
        code: str,
        requirements: str,
        arguments: Sequence[str],
        timeout_seconds: int,
        memory_mib: int,
        vcpus: int,
        most_vcpus: int,
        parameters: Mapping[str, str] | None = None,
    ) -> tuple[aws_batch.CfnJobQueue, aws_batch.CfnJobDefinition]:
        """Make the queue and the definition of its jobs.

        Args:
            subnet_ids: Where they run; each gets a public address there.
            routes: What must stand before they reach the internet, and outlive them.
            code: The address of the bundle in S3; empty if the CDK is to pack and upload it.
            requirements: The file in the bundle that lists the packages that they need.
            arguments: What follows `python -m workloads`.
            timeout_seconds: How long an attempt may take.
            memory_mib: The memory of a job.
            vcpus: The processors of a job.
            most_vcpus: The processors of all jobs that run at the same time; further jobs wait.
            parameters: Defaults of what `Ref::name` stands for in the arguments.
        """
        bundle = CodeBundle(self, "Code", code)
        self.role.add_to_policy(bundle.reading())
        self.role.add_to_policy(
            aws_iam.PolicyStatement(actions=["cloudformation:DescribeStacks"], resources=[Aws.STACK_ID])
        )
        environment = aws_batch.CfnComputeEnvironment(
            self,
            "Compute",
            type="MANAGED",
            state="ENABLED",
            replace_compute_environment=False,
            compute_resources=aws_batch.CfnComputeEnvironment.ComputeResourcesProperty(
                type="FARGATE",
                maxv_cpus=most_vcpus,
                subnets=subnet_ids,
                security_group_ids=[self.group.security_group_id],
            ),
        )
        environment.node.add_dependency(*routes)
        queue = job_queue(self, "Queue", [environment], longest_wait_seconds=LONGEST_WAIT_SECONDS, state="ENABLED")
        definition = aws_batch.CfnJobDefinition
        job = definition(
            self,
            "Job",
            type="container",
            platform_capabilities=["FARGATE"],
            propagate_tags=True,
            parameters=parameters,
            container_properties=definition.ContainerPropertiesProperty(
                image=self._image,
                command=bundle.command(*arguments),
                environment=[
                    definition.EnvironmentProperty(name=name, value=value)
                    for name, value in bundle.environment(requirements=requirements).items()
                ],
                resource_requirements=[
                    definition.ResourceRequirementProperty(type="VCPU", value=str(vcpus)),
                    definition.ResourceRequirementProperty(type="MEMORY", value=str(memory_mib)),
                ],
                network_configuration=definition.NetworkConfigurationProperty(assign_public_ip="ENABLED"),
                fargate_platform_configuration=definition.FargatePlatformConfigurationProperty(
                    platform_version="LATEST"
                ),
                log_configuration=definition.LogConfigurationProperty(
                    log_driver="awslogs",
                    options={
                        "awslogs-group": self.logs.log_group_name,
                        "awslogs-region": Aws.REGION,
                        "awslogs-stream-prefix": arguments[0],
                    },
                ),
                job_role_arn=self.role.role_arn,
                execution_role_arn=self.execution.role_arn,
            ),
            # Whatever a job has done stays done: started again, it goes on.
            retry_strategy=definition.RetryStrategyProperty(
                attempts=3,
                evaluate_on_exit=[
                    definition.EvaluateOnExitProperty(action="EXIT", on_exit_code=str(InputError.exit_code)),
                    definition.EvaluateOnExitProperty(action="RETRY", on_reason="*"),
                ],
            ),
            timeout=definition.TimeoutProperty(attempt_duration_seconds=timeout_seconds),
        )
        return queue, job
