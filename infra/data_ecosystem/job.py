"""Define the jobs that run `python -m workloads movie-rental` on AWS, each in a container on Fargate."""

from __future__ import annotations

from typing import Any

from aws_cdk import Aws, Fn, RemovalPolicy, Token, aws_batch, aws_ec2, aws_iam, aws_logs
from constructs import Construct

from contract.errors import InputError
from infra.constructs.bundle import CodeBundle
from infra.constructs.jobs import job_queue
from infra.constructs.logs import log_group
from infra.constructs.permissions import let_pull
from infra.constructs.security_groups import let_out
from infra.data_ecosystem.engines import DATABASE_PORT
from infra.data_ecosystem.network import EcosystemNetwork
from infra.parameters import only_if_set
from infra.settings.data_ecosystem import DataEcosystemSettings

REQUIREMENTS = "workloads/movie_rental/requirements.txt"
VCPUS, MEMORY_MIB = "2", "8192"
LONGEST_WAIT_SECONDS = 1800


class Jobs(Construct):
    """A queue that costs nothing while it is empty, and the permissions of its jobs.

    Attributes:
        role: The role of the jobs, to which the stack adds permissions on its engines.
        group: The security group of the jobs.
        logs: The log group of what they print.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        settings: DataEcosystemSettings,
        network: EcosystemNetwork,
        policy: RemovalPolicy,
    ) -> None:
        super().__init__(scope, name)
        self._settings, self._network = settings, network
        self.group = network.client("JobGroup", "Jobs: no way in; HTTPS out, and the engines.")
        self.logs: aws_logs.LogGroup = log_group(self, "Logs", settings.log_retention_days, policy)
        tasks = aws_iam.ServicePrincipal("ecs-tasks.amazonaws.com")
        self.role = aws_iam.Role(
            self, "Role", assumed_by=tasks, description="Permissions of movie-rental jobs, who administer OpenSearch."
        )
        self._execution = aws_iam.Role(
            self, "ExecutionRole", assumed_by=tasks, description="Lets Fargate pull the image and write the jobs' logs."
        )
        self.logs.grant_write(self._execution)
        let_pull(self._execution, [settings.image])

    def define(self) -> tuple[aws_batch.CfnJobQueue, aws_batch.CfnJobDefinition]:
        """Make the queue and the definition of its jobs; `command` is what follows `movie-rental`."""
        settings, batch = self._settings, aws_batch
        code = CodeBundle(self, "Code", settings.code)
        self.role.add_to_policy(code.reading())
        self.role.add_to_policy(
            aws_iam.PolicyStatement(actions=["cloudformation:DescribeStacks"], resources=[Aws.STACK_ID])
        )
        environment = batch.CfnComputeEnvironment(
            self,
            "Compute",
            type="MANAGED",
            state="ENABLED",
            replace_compute_environment=False,
            compute_resources=batch.CfnComputeEnvironment.ComputeResourcesProperty(
                type="FARGATE",
                maxv_cpus=8,
                subnets=self._network.public_subnets,
                security_group_ids=[self.group.security_group_id],
            ),
        )
        for subnet in self._network.vpc.public_subnets:
            environment.node.add_dependency(subnet.internet_connectivity_established)
        queue = job_queue(self, "Queue", [environment], longest_wait_seconds=LONGEST_WAIT_SECONDS, state="ENABLED")
        return queue, self._definition(code)

    def _source(self) -> Any:
        """Return the URL of the old database, which Batch puts into a job's environment from the secret that has it."""
        arn = self._settings.source_secret_arn
        if not arn:
            return None
        statement = {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": arn}
        reading = aws_iam.CfnPolicy(
            self,
            "ReadSource",
            policy_name="ReadSource",
            policy_document={"Version": "2012-10-17", "Statement": [statement]},
            roles=[self._execution.role_name],
        )
        only_if_set(reading, arn)
        secret = [{"Name": "MOVIE_RENTAL_SOURCE", "ValueFrom": arn}]
        if not Token.is_unresolved(arn):
            return secret
        return Fn.condition_if(f"Has{reading.node.id}", secret, Aws.NO_VALUE)

    def _definition(self, code: CodeBundle) -> aws_batch.CfnJobDefinition:
        definition = aws_batch.CfnJobDefinition
        job = definition(
            self,
            "Job",
            type="container",
            platform_capabilities=["FARGATE"],
            propagate_tags=True,
            parameters={"task": "verify"},
            container_properties=definition.ContainerPropertiesProperty(
                image=self._settings.image,
                command=code.command("movie-rental", "Ref::task", "--stack", Aws.STACK_NAME),
                environment=[
                    definition.EnvironmentProperty(name=name, value=value)
                    for name, value in code.environment(requirements=REQUIREMENTS).items()
                ],
                resource_requirements=[
                    definition.ResourceRequirementProperty(type="VCPU", value=VCPUS),
                    definition.ResourceRequirementProperty(type="MEMORY", value=MEMORY_MIB),
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
                        "awslogs-stream-prefix": "movie-rental",
                    },
                ),
                job_role_arn=self.role.role_arn,
                execution_role_arn=self._execution.role_arn,
            ),
            # Whatever a job has done stays done: started again, it goes on.
            retry_strategy=definition.RetryStrategyProperty(
                attempts=3,
                evaluate_on_exit=[
                    definition.EvaluateOnExitProperty(action="EXIT", on_exit_code=str(InputError.exit_code)),
                    definition.EvaluateOnExitProperty(action="RETRY", on_reason="*"),
                ],
            ),
            timeout=definition.TimeoutProperty(attempt_duration_seconds=self._settings.job_timeout_seconds),
        )
        job.add_property_override("ContainerProperties.Secrets", self._source())
        return job

    def let_read_source(self) -> aws_ec2.CfnSecurityGroupEgress:
        """Make the way to the old database; a console template has it only if its addresses are given."""
        cidr = self._settings.source_cidr
        return let_out(self, "ToSource", self.group, cidr, port=DATABASE_PORT, description="The old database")
