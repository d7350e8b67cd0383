"""What settings name by its ARN: keys, certificates and secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundwork.preflight.checks import check, ok, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundwork.preflight.checks import Judgement, Questions
    from groundwork.preflight.template import Template

_ARN = r"arn:aws[a-z-]*:{service}:[a-z0-9-]+:\d{{12}}:{kind}.+"


@check("KMS keys", "kms:DescribeKey")
def keys(stack: Template, account: Questions) -> Iterator[Judgement]:
    """KMS keys that the settings name exist, and are enabled."""
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
        else:
            yield ok(f"{arn} is enabled.")


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
