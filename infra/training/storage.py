"""Define what jobs read and write: a bucket for data, and one for artifacts that keeps replaced versions."""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import RemovalPolicy, aws_logs, aws_s3
from constructs import Construct

from infra.constructs.bucket import abandoned_uploads, private_bucket, replaced_versions, rule
from infra.constructs.bundle import CodeBundle

#: How long replaced versions of artifacts are kept.
REPLACED_ARTIFACT_DAYS = 90
NO_ACCESS_LOG = "Access logs would cost more than they tell; CloudTrail's data events can."


@dataclass(frozen=True)
class Storage:
    """The buckets and the log that jobs use.

    Attributes:
        data: Data sets, each under its own prefix.
        artifacts: Results, under a prefix for each workload.
        logs: The log group of what jobs print.
        code: The code that jobs run.
    """

    data: aws_s3.Bucket
    artifacts: aws_s3.IBucket
    logs: aws_logs.LogGroup
    code: CodeBundle


def data_bucket(scope: Construct, *, infrequent_access_days: int, policy: RemovalPolicy) -> aws_s3.Bucket:
    """Make a bucket whose objects move to cheaper storage when they have not changed for some days."""
    cheaper = aws_s3.CfnBucket.TransitionProperty(
        storage_class="STANDARD_IA", transition_in_days=infrequent_access_days
    )
    return private_bucket(
        scope,
        "DataBucket",
        policy=policy,
        why_no_access_log=NO_ACCESS_LOG,
        why_not_versioned="Data sets can be had again from their origin, and are checked by their sums.",
        rules=[rule("CheaperStorage", transitions=[cheaper]), abandoned_uploads()],
    )


def artifact_bucket(scope: Construct, existing: str, *, policy: RemovalPolicy) -> aws_s3.IBucket:
    """Make a bucket that keeps replaced and deleted versions for some days, or return the one that exists."""
    if existing:
        return aws_s3.Bucket.from_bucket_name(scope, "ArtifactBucket", existing)
    return private_bucket(
        scope,
        "ArtifactBucket",
        policy=policy,
        why_no_access_log=NO_ACCESS_LOG,
        rules=[replaced_versions(REPLACED_ARTIFACT_DAYS), abandoned_uploads()],
        versioned=True,
    )
