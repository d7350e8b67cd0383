"""A private bucket."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aws_cdk import RemovalPolicy, aws_s3
from constructs import Construct

from infra.guardrails import acknowledge

ABANDONED_DAYS = 7
"""Age at which an upload that was never finished is dropped, in days."""


def private_bucket(
    scope: Construct,
    name: str,
    *,
    policy: RemovalPolicy,
    why_no_access_log: str,
    why_not_versioned: str = "",
    rules: Sequence[aws_s3.CfnBucket.RuleProperty],
    **options: Any,
) -> aws_s3.Bucket:
    """Make a bucket that is encrypted, closed to the public, and reached through TLS only.

        private_bucket(
            self, "Posters", policy=self.policy, why_no_access_log="The site logs its requests itself.",
            rules=[replaced_versions(30), abandoned_uploads()], versioned=True,
        )

    Args:
        scope: Where it stands.
        name: Its construct's name.
        policy: What becomes of it when its stack goes.
        why_no_access_log: Why it keeps no log of who read what, which another bucket would have to hold.
        why_not_versioned: Why it keeps no replaced objects; leave it out of a bucket that does (`versioned`).
        rules: What becomes of its objects with time. They are set on the resource itself, because the CDK's own
            options take no parameter of a console template.
        options: More of `aws_s3.Bucket`, such as `versioned`.
    """
    bucket = aws_s3.Bucket(
        scope,
        name,
        encryption=aws_s3.BucketEncryption.S3_MANAGED,
        block_public_access=aws_s3.BlockPublicAccess.BLOCK_ALL,
        enforce_ssl=True,
        removal_policy=policy,
        **options,
    )
    resource = bucket.node.default_child
    assert isinstance(resource, aws_s3.CfnBucket)  # noqa: S101 - for the type checker
    resource.lifecycle_configuration = aws_s3.CfnBucket.LifecycleConfigurationProperty(rules=list(rules))
    reasons = {"S1": why_no_access_log, "CKV_AWS_18": why_no_access_log, "CKV_AWS_21": why_not_versioned}
    acknowledge(bucket, {rule: reason for rule, reason in reasons.items() if reason})
    return bucket


def rule(name: str, **effect: Any) -> aws_s3.CfnBucket.RuleProperty:
    """Return a rule for a bucket's objects: `rule("OldReports", expiration_in_days=90)`."""
    return aws_s3.CfnBucket.RuleProperty(id=name, status="Enabled", **effect)


def replaced_versions(days: int) -> aws_s3.CfnBucket.RuleProperty:
    """Return the rule that drops replaced and deleted versions after some days."""
    expiration = aws_s3.CfnBucket.NoncurrentVersionExpirationProperty(noncurrent_days=days)
    return rule("ReplacedVersions", noncurrent_version_expiration=expiration)


def abandoned_uploads() -> aws_s3.CfnBucket.RuleProperty:
    """Return the rule that drops the parts of uploads that were never finished after `ABANDONED_DAYS`."""
    abort = aws_s3.CfnBucket.AbortIncompleteMultipartUploadProperty(days_after_initiation=ABANDONED_DAYS)
    return rule("AbandonedUploads", abort_incomplete_multipart_upload=abort)
