"""What settings name: keys, topics, buckets, certificates and secrets."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from groundwork.preflight.checks import check, ok, refused, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundwork.preflight.checks import Judgement, Questions
    from groundwork.preflight.template import Template

_ARN = r"arn:aws[a-z-]*:{service}:[a-z0-9-]+:\d{{12}}:{kind}.+"


#: What a service does with a key that encrypts logs, messages or files for it.
_KEY_USE = ("kms:Decrypt", "kms:GenerateDataKey")
_WAY_OUT = "Add the statement of docs/encryption.md to the key's policy: aws kms put-key-policy --key-id {key}"


@check("KMS keys", "kms:DescribeKey", "kms:GetKeyPolicy")
def keys(stack: Template, account: Questions) -> Iterator[Judgement]:
    """KMS keys that the settings name exist, are enabled and symmetric, and let services use them that need to."""
    for arn in stack.identifiers(_ARN.format(service="kms", kind="key/")):
        response = account.find("kms:DescribeKey", KeyId=arn)
        if response is None:
            yield refused(f"There is no KMS key {arn}.", "Correct the setting, or create the key.")
        elif response["KeyMetadata"]["KeyState"] != "Enabled":
            state = response["KeyMetadata"]["KeyState"]
            yield refused(
                f"KMS key {arn} cannot be used: it is {state}.",
                f"aws kms cancel-key-deletion --key-id {arn}, and aws kms enable-key --key-id {arn}"
                if state == "PendingDeletion"
                else f"aws kms enable-key --key-id {arn}",
            )
        elif response["KeyMetadata"].get("KeySpec", "SYMMETRIC_DEFAULT") != "SYMMETRIC_DEFAULT":
            yield refused(f"KMS key {arn} is asymmetric; what is stored takes a symmetric one.", "Choose another key.")
        else:
            yield from _lets_services(stack, arn, account)


def _lets_services(stack: Template, arn: str, account: Questions) -> Iterator[Judgement]:
    """Judge whether the policy of a key lets in what acts for itself."""
    policy = account.find("kms:GetKeyPolicy", KeyId=arn, PolicyName="default")
    statements = json.loads(policy["Policy"])["Statement"] if policy else []
    lacking = [(service, why) for service, why in _users(stack, arn, account) if not _is_let(service, statements)]
    for service, why in lacking:
        reason = f"The policy of KMS key {arn} does not let {service} use it: {why}."
        judge = refused if service.startswith("logs.") else warning
        yield judge(reason, _WAY_OUT.format(key=arn))
    if not lacking:
        yield ok(f"{arn} is enabled.")


def _users(stack: Template, arn: str, account: Questions) -> Iterator[tuple[str, str]]:
    """Yield the services that use a key for themselves, each with what happens if they may not."""

    def under(kind: str, name: str) -> bool:
        return any(stack.text(resource.properties.get(name)) == arn for resource in stack.resources(kind))

    topic, queue = under("AWS::SNS::Topic", "KmsMasterKeyId"), under("AWS::SQS::Queue", "KmsMasterKeyId")
    bucket = any(arn in json.dumps(resource.properties) for resource in stack.resources("AWS::S3::Bucket"))
    if under("AWS::Logs::LogGroup", "KmsKeyId"):
        yield f"logs.{account.region}.amazonaws.com", "CloudWatch Logs refuses it for log groups"
    if topic and any(stack.resources("AWS::CloudWatch::Alarm")):
        yield "cloudwatch.amazonaws.com", "no alarm will send an e-mail"
    if (topic or queue) and any(stack.resources("AWS::Events::Rule")):
        yield "events.amazonaws.com", "what rules send to the topic or the queue will be lost"
    if bucket and any(stack.resources("AWS::Timestream::InfluxDBInstance", "AWS::Timestream::InfluxDBCluster")):
        yield "timestream-influxdb.amazonaws.com", "InfluxDB's own logs will not reach their bucket"


def _is_let(service: str, statements: list[dict[str, Any]]) -> bool:
    """Whether a policy lets a service use the key, under whatever conditions."""
    allowed = {
        pattern
        for statement in statements
        if statement["Effect"] == "Allow" and service in _several(_services(statement.get("Principal", {})))
        for pattern in _several(statement.get("Action", []))
    }
    return all(any(fnmatchcase(use, pattern) for pattern in allowed) for use in _KEY_USE)


def _services(principal: Any) -> Any:
    return principal.get("Service", []) if isinstance(principal, dict) else []


def _several(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


@check("topics", "sns:GetTopicAttributes")
def topics(stack: Template, account: Questions) -> Iterator[Judgement]:
    """Topics that the settings name exist in this region, and let CloudWatch publish."""
    for arn in stack.identifiers(_ARN.format(service="sns", kind="")):
        region = arn.split(":")[3]
        if region != account.region:
            yield refused(
                f"Topic {arn} is in {region}. Alarms publish in the region of their stack, {account.region}.",
                f"Choose a topic in {account.region}.",
            )
            continue
        response = account.find("sns:GetTopicAttributes", TopicArn=arn)
        if response is None:
            yield refused(f"There is no topic {arn}.", "Correct the setting topic_arn, or create the topic.")
            continue
        statements = json.loads(response["Attributes"]["Policy"])["Statement"]
        by_rules = arn in json.dumps([rule.properties for rule in stack.resources("AWS::Events::Rule")])
        publishers = ["cloudwatch.amazonaws.com", *(["events.amazonaws.com"] if by_rules else [])]
        lacking = [service for service in publishers if not _lets_publish(service, statements)]
        for service in lacking:
            yield warning(
                f"The policy of topic {arn} does not let {service} publish: no e-mail will be sent.",
                f"Add the statement of docs/company.md: aws sns set-topic-attributes --topic-arn {arn} "
                "--attribute-name Policy",
            )
        if not lacking:
            yield ok(f"{arn} exists.")


def _lets_publish(service: str, statements: list[dict[str, Any]]) -> bool:
    return any(
        statement["Effect"] == "Allow"
        and service in _several(_services(statement.get("Principal", {})))
        and any(fnmatchcase("sns:publish", pattern.lower()) for pattern in _several(statement.get("Action", [])))
        for statement in statements
    )


@check("buckets", "s3:ListBucket")
def buckets(stack: Template, account: Questions) -> Iterator[Judgement]:
    """Buckets that the settings name, for artifacts and logs, exist."""
    for name in sorted({stack.setting("artifact_bucket"), *_log_buckets(stack)} - {""}):
        if account.find("s3:ListBucket", Bucket=name, MaxKeys=1) is None:
            policy = ", with the policy of docs/company.md if it is for logs"
            yield refused(f"There is no bucket {name}.", f"Create it: aws s3 mb s3://{name}{policy}")
        else:
            yield ok(f"{name} exists.")


def _log_buckets(stack: Template) -> Iterator[str]:
    """Yield the buckets that exist before the stack, and take its logs."""
    for bucket in stack.resources("AWS::S3::Bucket"):
        yield stack.text(bucket.properties.get("LoggingConfiguration", {}).get("DestinationBucketName"))
    for balancer in stack.resources("AWS::ElasticLoadBalancingV2::LoadBalancer"):
        attributes = balancer.properties.get("LoadBalancerAttributes", ())
        yield from (row["Value"] for row in attributes if row["Key"] == "access_logs.s3.bucket")
    for log in stack.resources("AWS::EC2::FlowLog"):
        yield stack.text(log.properties.get("LogDestination")).rpartition(":::")[2].partition("/")[0]


@check("certificate", "acm:DescribeCertificate")
def certificates(stack: Template, account: Questions) -> Iterator[Judgement]:
    """Certificates that the settings name exist in this region, and are issued."""
    for arn in stack.identifiers(_ARN.format(service="acm", kind="certificate/")):
        response = account.find("acm:DescribeCertificate", CertificateArn=arn)
        status = response["Certificate"].get("Status") if response else None
        if status is None:
            yield refused(
                f"There is no certificate {arn} in {account.region}.",
                "Request one in ACM, in this region, and put its ARN into certificate_arn.",
            )
        elif status != "ISSUED":
            yield refused(
                f"Certificate {arn} is not issued: it is {status}.",
                "Create the DNS records that ACM shows for it, and wait until its status is ISSUED.",
            )
        else:
            yield ok(f"{arn} is issued.")


@check("secrets", "secretsmanager:DescribeSecret")
def secrets(stack: Template, account: Questions) -> Iterator[Judgement]:
    """Secrets that the settings name exist."""
    for arn in stack.identifiers(_ARN.format(service="secretsmanager", kind="secret:")):
        if "*" in arn:
            continue
        response = account.find("secretsmanager:DescribeSecret", SecretId=arn)
        if response is None:
            yield refused(f"There is no secret {arn}.", "Correct the setting source_secret_arn.")
        elif "DeletedDate" in response:
            yield refused(
                f"Secret {arn} is going to be deleted.", f"aws secretsmanager restore-secret --secret-id {arn}"
            )
        else:
            yield ok(f"{arn} exists.")
