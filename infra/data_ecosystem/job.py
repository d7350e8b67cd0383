"""Define the jobs that run `python -m workloads movie-rental` on AWS, each in a container on Fargate."""

from __future__ import annotations

from typing import Any

from aws_cdk import Aws, Fn, RemovalPolicy, Token, aws_batch, aws_ec2, aws_iam
from constructs import Construct

from infra.constructs.fargate import FargateJobs
from infra.constructs.security_groups import let_out
from infra.data_ecosystem.engines import DATABASE_PORT
from infra.data_ecosystem.network import EcosystemNetwork
from infra.parameters import only_if_set
from infra.settings.data_ecosystem import DataEcosystemSettings

REQUIREMENTS = "workloads/movie_rental/requirements.txt"
VCPUS, MOST_VCPUS, MEMORY_MIB = 2, 8, 8192


class Jobs(FargateJobs):
    """The jobs; the stack adds permissions on its engines to their role."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        settings: DataEcosystemSettings,
        network: EcosystemNetwork,
        policy: RemovalPolicy,
    ) -> None:
        super().__init__(
            scope,
            name,
            group=network.client("JobGroup", "Jobs: no way in; HTTPS out, and the engines."),
            image=settings.image,
            description="Permissions of movie-rental jobs, who administer OpenSearch.",
            log_retention_days=settings.log_retention_days,
            policy=policy,
        )
        self._settings, self._network = settings, network

    def define(self) -> tuple[aws_batch.CfnJobQueue, aws_batch.CfnJobDefinition]:
        """Make the queue and the definition of its jobs; the parameter `task` is what follows `movie-rental`."""
        queue, job = self.make(
            subnet_ids=self._network.public_subnets,
            routes=self._network.routes,
            code=self._settings.code,
            requirements=REQUIREMENTS,
            arguments=["movie-rental", "Ref::task", "--stack", Aws.STACK_NAME],
            timeout_seconds=self._settings.job_timeout_seconds,
            memory_mib=MEMORY_MIB,
            vcpus=VCPUS,
            most_vcpus=MOST_VCPUS,
            parameters={"task": "verify"},
        )
        job.add_property_override("ContainerProperties.Secrets", self._source())
        return queue, job

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
            roles=[self.execution.role_name],
        )
        only_if_set(reading, arn)
        secret = [{"Name": "MOVIE_RENTAL_SOURCE", "ValueFrom": arn}]
        if not Token.is_unresolved(arn):
            return secret
        return Fn.condition_if(f"Has{reading.node.id}", secret, Aws.NO_VALUE)

    def let_read_source(self) -> aws_ec2.CfnSecurityGroupEgress:
        """Make the way to the old database; a console template has it only if its addresses are given."""
        cidr = self._settings.source_cidr
        return let_out(self, "ToSource", self.group, cidr, port=DATABASE_PORT, description="The old database")
