"""Metrics in CloudWatch that workloads send, and that alarms and dashboards of the stacks watch."""

from __future__ import annotations

from enum import StrEnum


class Namespace(StrEnum):
    """Where a workload's metrics are."""

    TRAINING = "Groundwork/Training"
    DEVOPS_METRICS = "Groundwork/DevOpsMetrics"
    STOREFRONT = "Groundwork/Storefront"


TRAINING_NAMESPACE = "GROUNDWORK_METRIC_NAMESPACE"
"""The environment variable with the namespace of a job's metrics, which is `Groundwork/` and the name of its stack.

So two stacks in an account do not mix, and a job of the stack Training writes where any other training does.
"""


class TrainingMetric(StrEnum):
    """What a training job sends for each epoch, with the dimension `Workload`."""

    TRAINING_LOSS = "TrainingLoss"
    VALIDATION_LOSS = "ValidationLoss"
    VALIDATION_ACCURACY = "ValidationAccuracy"
    SAMPLES_PER_SECOND = "SamplesPerSecond"
    EPOCH_SECONDS = "EpochSeconds"
    CPU_UTILIZATION = "CpuUtilization"
    MEMORY_UTILIZATION = "MemoryUtilization"
    GPU_UTILIZATION = "GpuUtilization"
    MODE_COLLAPSE = "ModeCollapse"
    NON_FINITE_LOSS = "NonFiniteLoss"
    SECONDS_SINCE_PROGRESS = "SecondsSinceProgress"


class IngestionMetric(StrEnum):
    """What an ingestion of monitoring data sends every minute, with the dimension `Stack`."""

    ROWS_WRITTEN = "RowsWritten"
    ROWS_REJECTED = "RowsRejected"


class BackupMetric(StrEnum):
    """What a scheduled backup of monitoring data sends when it is complete, with the dimension `Stack`."""

    SUCCEEDED = "BackupSucceeded"


class StorefrontMetric(StrEnum):
    """What the storefront, and CloudWatch's agent beside it, send every minute, with the dimension `Stack`."""

    REQUESTS = "Requests"
    ERRORS = "Errors"
    LATENCY = "Latency"
    MEMORY_UTILIZATION = "MemoryUtilization"
    DISK_UTILIZATION = "DiskUtilization"
