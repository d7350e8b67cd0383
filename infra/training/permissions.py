"""Define what jobs may do: each reaches only its own files and those that its workload reads."""

from __future__ import annotations

from aws_cdk import Stack, aws_iam

from contract.workloads import TRAINING, TrainingWorkload
from infra.constructs.permissions import let_pull, own_namespace, put_metrics
from infra.guardrails import acknowledge
from infra.settings.training import TrainingSettings
from infra.training.storage import Storage

_TASKS = aws_iam.ServicePrincipal("ecs-tasks.amazonaws.com")


class Permissions:
    """The roles of jobs.

    Attributes:
        execution: The role of the container agent, which pulls images and writes logs.
        roles: The roles for training and tuning, by workload; one-off instances assume those of the GPU jobs too.
        predict: The role for predictions with any of the models.
    """

    def __init__(
        self, stack: Stack, settings: TrainingSettings, storage: Storage, *, one_off: aws_iam.IPrincipal
    ) -> None:
        self._storage = storage
        self.execution = self._execution_role(stack, settings)
        self._common = self._common_policy(stack)
        on_gpu = aws_iam.CompositePrincipal(_TASKS, one_off)
        self.roles = {
            name: self._job_role(stack, workload, on_gpu if workload.uses_gpu else _TASKS)
            for name, workload in TRAINING.items()
        }
        self.predict = self._predict_role(stack)

    def _execution_role(self, stack: Stack, settings: TrainingSettings) -> aws_iam.Role:
        purpose = "Lets the container agent pull images and write the jobs' logs."
        role = aws_iam.Role(stack, "ExecutionRole", assumed_by=_TASKS, description=purpose)
        self._storage.logs.grant_write(role)
        let_pull(role, [settings.image, settings.gpu_image])
        return role

    def _common_policy(self, stack: Stack) -> aws_iam.ManagedPolicy:
        storage = self._storage
        policy = aws_iam.ManagedPolicy(stack, "JobPolicy", description="What every job does: code, lists, metrics.")
        policy.add_statements(
            storage.code.reading(),
            aws_iam.PolicyStatement(
                actions=["s3:ListBucket"], resources=[storage.data.bucket_arn, storage.artifacts.bucket_arn]
            ),
            put_metrics(own_namespace()),
        )
        acknowledge(policy, {"IAM5[Resource::*]": "Metrics know no resource; the namespace confines the permission."})
        return policy

    def _job_role(self, stack: Stack, workload: TrainingWorkload, assumed_by: aws_iam.IPrincipal) -> aws_iam.Role:
        """Make the role of a job, which reads its own data, and reads and writes its own artifacts.

        A job deletes its checkpoints when it has finished; the bucket keeps their versions for a time.
        """
        data, artifacts = self._storage.data, self._storage.artifacts
        own_artifacts = artifacts.arn_for_objects(f"{workload.name}/*")
        read = [data.arn_for_objects(f"{workload.data_set}/*"), own_artifacts]
        read += [artifacts.arn_for_objects(f"{name}/*") for name in workload.reads]
        document = aws_iam.PolicyDocument(
            statements=[
                aws_iam.PolicyStatement(actions=["s3:GetObject"], resources=read),
                aws_iam.PolicyStatement(
                    actions=["s3:PutObject", "s3:AbortMultipartUpload", "s3:DeleteObject"], resources=[own_artifacts]
                ),
            ]
        )
        role = aws_iam.Role(
            stack,
            workload.job_role,
            assumed_by=assumed_by,
            description=f"Permissions of {workload.name} jobs.",
            managed_policies=[self._common],
            inline_policies={"Files": document},
        )
        folders = {
            f"<DataBucket.Arn>/{workload.data_set}/*": "The files of a data set are not known beforehand.",
            **{
                f"<ArtifactBucket.Arn>/{name}/*": "A run names its own files, below its workload's name."
                for name in (workload.name, *workload.reads)
            },
        }
        acknowledge(role, {f"IAM5[Resource::{folder}]": reason for folder, reason in folders.items()})
        return role

    def _predict_role(self, stack: Stack) -> aws_iam.Role:
        """Make the role of predictions, which reads data and models, and writes only below `predictions/`."""
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
