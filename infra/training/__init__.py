"""Define training jobs on AWS Batch and EC2: data, artifacts, queues that scale to zero, alarms, a dashboard.

storage      buckets
compute      compute environments and queues
permissions  what each job may do
definitions  the job definitions
one_off      a single training on its own instance
monitoring   dashboard, mails, alarms
"""

from __future__ import annotations

from contract.stacks import TrainingOutput
from contract.workloads import TRAINING, Machine
from infra.constructs.bundle import CodeBundle
from infra.constructs.logs import log_group
from infra.constructs.network import Network
from infra.settings.training import TrainingSettings
from infra.stack import GroundworkStack
from infra.training.compute import Nodes, queues
from infra.training.definitions import definitions
from infra.training.monitoring import alarms, dashboard, mails
from infra.training.one_off import OneOff
from infra.training.permissions import Permissions
from infra.training.storage import Storage, artifact_bucket, data_bucket

WHERE: dict[Machine, str] = {"cpu": "", "gpu": " on a GPU", "multi-node": " over several nodes"}


class Training(GroundworkStack):
    """A stack of buckets for data and results, queues and definitions of jobs, their metrics, and alarms."""

    DESCRIPTION = "Training jobs on AWS Batch and EC2, with their data, artifacts, metrics and alarms."
    SECTION = "training"
    settings: TrainingSettings

    def build(self) -> None:
        """Make buckets, queues, roles, job definitions and their monitoring."""
        settings, policy = self.settings, self.policy
        self.heading("What jobs read, write and print.")
        storage = Storage(
            data=data_bucket(self, infrequent_access_days=settings.infrequent_access_days, policy=policy),
            artifacts=artifact_bucket(self, settings.artifact_bucket, policy=policy),
            logs=log_group(self, "JobLogs", settings.log_retention_days, policy),
            code=CodeBundle(self, "CodeBundle", settings.code),
        )
        self.heading("Where jobs run: instances from zero, and the queues before them.")
        network = Network(self, "Network", settings, log_retention_days=settings.log_retention_days, policy=policy)
        nodes = Nodes(self, settings.multi_node_instance_type)
        waiting = queues(self, settings, network, nodes)
        self.heading("What jobs may do.")
        one_off = OneOff(self)
        permissions = Permissions(self, settings, storage, one_off=one_off.role)
        self.heading("The jobs.")
        jobs = definitions(self, settings, storage, permissions, nodes)
        self.heading("One training on an instance of its own, which ends itself.")
        template = one_off.launch(settings, network, storage, permissions)
        self.heading("Who is told: failed and stuck jobs with their reason, and what training measures.")
        mails(self.topic, waiting)
        alarms(self.topic)
        self.heading("What the jobs measure.")
        graphs = dashboard(self)

        self.output(TrainingOutput.DATA_BUCKET_NAME, storage.data.bucket_name, "Holds the data that jobs read.")
        self.output(
            TrainingOutput.ARTIFACT_BUCKET_NAME,
            storage.artifacts.bucket_name,
            "Holds what jobs write: models, figures.",
        )
        self.output(TrainingOutput.CPU_QUEUE_ARN, waiting.cpu.attr_job_queue_arn, "Queue of jobs without a GPU.")
        self.output(TrainingOutput.GPU_QUEUE_ARN, waiting.gpu.attr_job_queue_arn, "Queue of jobs with a GPU.")
        self.output(
            TrainingOutput.MULTI_NODE_QUEUE_ARN,
            waiting.multi_node.attr_job_queue_arn,
            "Queue of jobs over several nodes.",
        )
        for workload in TRAINING.values():
            for machine in workload.machines:
                description = f"Job definition: trains {workload.name}{WHERE[machine]}."
                self.output(workload.job_output(machine), jobs[workload.job(machine)].ref, description)
        description = "Job definition: predicts with a finished run of any workload."
        self.output(TrainingOutput.PREDICT_JOB_DEFINITION_ARN, jobs["PredictJob"].ref, description)
        self.output(TrainingOutput.LAUNCH_TEMPLATE_ID, template.ref, "Launches a one-off training instance.")
        self.output_topic()
        self.output(TrainingOutput.DASHBOARD_NAME, graphs.ref, "The training metrics in CloudWatch.")
        self.output(TrainingOutput.LOG_GROUP_NAME, storage.logs.log_group_name, "Holds what jobs print.")
