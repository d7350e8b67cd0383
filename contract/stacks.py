"""The stacks by name, and the names of the outputs through which programs find what a stack made."""

from __future__ import annotations

from enum import StrEnum


class StackName(StrEnum):
    """The names under which the CDK app deploys the stacks, and which commands take by default."""

    TERMINATION_ALARM = "TerminationAlarm"
    TRAINING = "Training"
    DEVOPS_METRICS = "DevOpsMetrics"
    DATA_ECOSYSTEM = "DataEcosystem"
    WEB_APP = "WebApp"


class AlertedOutput(StrEnum):
    """What every stack with alarms publishes."""

    TOPIC_ARN = "TopicArn"


class TerminationAlarmOutput(StrEnum):
    """What the stack TerminationAlarm publishes, beside `AlertedOutput`."""

    AUTO_SCALING_GROUP_NAME = "AutoScalingGroupName"
    LOG_GROUP_NAME = "LogGroupName"
    FUNCTION_NAME = "FunctionName"
    ALARM_NAME = "AlarmName"
    METRIC_NAMESPACE = "MetricNamespace"
    METRIC_NAME = "MetricName"
    DEAD_LETTER_QUEUE_URL = "DeadLetterQueueUrl"


class TrainingOutput(StrEnum):
    """What the stack Training publishes, beside `AlertedOutput` and the job definitions (see `contract.workloads`)."""

    DATA_BUCKET_NAME = "DataBucketName"
    ARTIFACT_BUCKET_NAME = "ArtifactBucketName"
    CPU_QUEUE_ARN = "CpuQueueArn"
    GPU_QUEUE_ARN = "GpuQueueArn"
    MULTI_NODE_QUEUE_ARN = "MultiNodeQueueArn"
    PREDICT_JOB_DEFINITION_ARN = "PredictJobDefinitionArn"
    LAUNCH_TEMPLATE_ID = "LaunchTemplateId"
    DASHBOARD_NAME = "DashboardName"
    LOG_GROUP_NAME = "LogGroupName"


class WebAppOutput(StrEnum):
    """What the stack WebApp publishes, beside `AlertedOutput`."""

    SITE_URL = "SiteUrl"
    DATABASE_ENDPOINT = "DatabaseEndpoint"
    DATABASE_PORT = "DatabasePort"
    DATABASE_SECRET_ARN = "DatabaseSecretArn"
    SESSION_SECRET_ARN = "SessionSecretArn"
    ASSETS_BUCKET_NAME = "AssetsBucketName"
    LOG_GROUP_NAME = "LogGroupName"
    DASHBOARD_NAME = "DashboardName"


class DataEcosystemOutput(StrEnum):
    """What the stack DataEcosystem publishes, beside `AlertedOutput` and `TimeSeriesOutput`."""

    MOVIES_TABLE_NAME = "MoviesTableName"
    DEAD_LETTERS_TABLE_NAME = "DeadLettersTableName"
    RENTAL_EVENTS_QUEUE_URL = "RentalEventsQueueUrl"
    DATABASE_ENDPOINT = "DatabaseEndpoint"
    DATABASE_PORT = "DatabasePort"
    DATABASE_SECRET_ARN = "DatabaseSecretArn"
    GRAPH_ENDPOINT = "GraphEndpoint"
    GRAPH_LOADER_ROLE_ARN = "GraphLoaderRoleArn"
    BULK_LOAD_BUCKET_NAME = "BulkLoadBucketName"
    SEARCH_ENDPOINT = "SearchEndpoint"
    SEARCH_WRITER_ROLE_ARN = "SearchWriterRoleArn"
    JOB_QUEUE_ARN = "JobQueueArn"
    JOB_DEFINITION_ARN = "JobDefinitionArn"
    LOG_GROUP_NAME = "LogGroupName"
    DASHBOARD_NAME = "DashboardName"


class DevOpsMetricsOutput(StrEnum):
    """What the stack DevOpsMetrics publishes, beside `AlertedOutput` and `TimeSeriesOutput`."""

    INGESTION_POLICY_ARN = "IngestionPolicyArn"
    REPORT_BUCKET_NAME = "ReportBucketName"
    REJECTED_ALARM_NAME = "RejectedAlarmName"
    SILENCE_ALARM_NAME = "SilenceAlarmName"
    DASHBOARD_NAME = "DashboardName"
    CLIENT_SECURITY_GROUP_ID = "ClientSecurityGroupId"
    BACKUP_LOCATION = "BackupLocation"
    BACKUP_ALARM_NAME = "BackupAlarmName"
    ROLLUP_BUCKET_NAME = "RollupBucketName"
    FILES_BUCKET_NAME = "FilesBucketName"
    INGESTION_QUEUE_ARN = "IngestionQueueArn"
    INGESTION_JOB_DEFINITION_ARN = "IngestionJobDefinitionArn"


class TimeSeriesOutput(StrEnum):
    """What a stack with a time series database publishes of it, whichever engine it is."""

    ENGINE = "Engine"
    DATABASE_NAME = "DatabaseName"
    TABLE_NAME = "TableName"
    ENDPOINT = "Endpoint"
    SECRET_ARN = "SecretArn"
