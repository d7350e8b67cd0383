"""What jobs read and write: a bucket for data, and one for artifacts whose replaced versions are kept for a time."""

from dataclasses import dataclass
from typing import Any

from aws_cdk import RemovalPolicy, aws_logs, aws_s3
from constructs import Construct

from infra.constructs.bundle import CodeBundle
from infra.guardrails import acknowledge


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


def data_bucket(scope: Construct, *, infrequent_access_days: int, policy: RemovalPolicy) -> aws_s3.Bucket:
    """A bucket whose objects move to cheaper storage when they have not changed for some days."""
    bucket = _bucket(scope, "DataBucket", policy)
    acknowledge(bucket, {"CKV_AWS_21": "Data sets can be had again from their origin, and are checked by their sums."})
    _lifecycle(
        bucket,
        aws_s3.CfnBucket.RuleProperty(
            id="CheaperStorage",
            status="Enabled",
            transitions=[
                aws_s3.CfnBucket.TransitionProperty(
                    storage_class="STANDARD_IA", transition_in_days=infrequent_access_days
                )
            ],
        ),
    )
    return bucket


def artifact_bucket(scope: Construct, *, old_artifact_days: int, policy: RemovalPolicy) -> aws_s3.Bucket:
    """A bucket that keeps replaced and deleted versions for some days."""
    bucket = _bucket(scope, "ArtifactBucket", policy, versioned=True)
    _lifecycle(
        bucket,
        aws_s3.CfnBucket.RuleProperty(
            id="ReplacedVersions",
            status="Enabled",
            noncurrent_version_expiration=aws_s3.CfnBucket.NoncurrentVersionExpirationProperty(
                noncurrent_days=old_artifact_days
            ),
        ),
    )
    return bucket


def _bucket(scope: Construct, name: str, policy: RemovalPolicy, **options: Any) -> aws_s3.Bucket:
    bucket = aws_s3.Bucket(
        scope,
        name,
        encryption=aws_s3.BucketEncryption.S3_MANAGED,
        block_public_access=aws_s3.BlockPublicAccess.BLOCK_ALL,
        enforce_ssl=True,
        removal_policy=policy,
        **options,
    )
    untold = "Access logs would cost more than they tell; CloudTrail's data events can."
    acknowledge(bucket, {"S1": untold, "CKV_AWS_18": untold})
    return bucket


def _lifecycle(bucket: aws_s3.Bucket, rule: aws_s3.CfnBucket.RuleProperty) -> None:
    """Set the bucket's rule, and drop uploads that were never finished; both may hold a template's parameters."""
    abandoned = aws_s3.CfnBucket.RuleProperty(
        id="AbandonedUploads",
        status="Enabled",
        abort_incomplete_multipart_upload=aws_s3.CfnBucket.AbortIncompleteMultipartUploadProperty(
            days_after_initiation=7
        ),
    )
    bucket.node.default_child.lifecycle_configuration = aws_s3.CfnBucket.LifecycleConfigurationProperty(  # type: ignore[union-attr]
        rules=[rule, abandoned]
    )
