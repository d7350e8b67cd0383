"""Stacks under a key of the account's, in a cloud that enforces policies: data and alarms flow."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from contract.stacks import StackName
from groundwork.preflight import subjects
from groundwork.preflight.checks import Finding, Verdict, run
from groundwork.preflight.template import Template
from infra.config import Config
from infra.stacks import STACKS
from infra.templates import templates
from localcloud import LocalCloud
from workloads.account.reader import Account

pytestmark = pytest.mark.timeout(600)
Eventually = Callable[[Callable[[], Any]], Any]
ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "encryption.md"
TERMINATION, DATA, TRAINING = StackName.TERMINATION_ALARM, StackName.DATA_ECOSYSTEM, StackName.TRAINING
SECTIONS = {stack.__name__: stack.SECTION for stack in STACKS}


def policy(without: str = "") -> str:
    """The key's policy that the page shows, without one of its statements."""
    [text] = re.findall(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)
    document = json.loads(text)
    document["Statement"] = [statement for statement in document["Statement"] if statement["Sid"] != without]
    return json.dumps(document)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    folder = tmp_path_factory.mktemp("cloud")
    with LocalCloud(folder, iam="enforce") as running, pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.setenv("LOCALCLOUD_RETRY_SECONDS", "0.2")
        for name, value in running.environment().items():
            patch.setenv(name, value)
        yield running


@pytest.fixture(scope="module")
def key(cloud: LocalCloud) -> str:
    return str(cloud.client("kms").create_key(Policy=policy())["KeyMetadata"]["Arn"])


@pytest.fixture(scope="module")
def deployed(cloud: LocalCloud, key: str, tmp_path_factory: pytest.TempPathFactory) -> LocalCloud:
    """Three stacks under the key."""
    bundle = tmp_path_factory.mktemp("code") / "code.zip"
    with zipfile.ZipFile(bundle, "w") as archive:
        archive.writestr("workloads/__init__.py", "")
    cloud.client("s3").create_bucket(Bucket="code")
    cloud.client("s3").upload_file(str(bundle), "code", "code.zip")
    context = {f"{SECTIONS[stack]}.kms_key_arn": key for stack in (TERMINATION, DATA, TRAINING)}
    context |= {f"{SECTIONS[stack]}.email": "you@example.com" for stack in (TERMINATION, DATA, TRAINING)}
    context |= {f"{SECTIONS[stack]}.code": "s3://code/code.zip" for stack in (DATA, TRAINING)}
    cloud.deploy(TERMINATION, DATA, TRAINING, context=context)
    return cloud


def physical(cloud: LocalCloud, stack: str, name: str) -> str:
    resource = cloud.client("cloudformation").describe_stack_resource(StackName=stack, LogicalResourceId=name)
    return str(resource["StackResourceDetail"]["PhysicalResourceId"])


def denied(cloud: LocalCloud) -> list[str]:
    return [denial["action"] for denial in cloud.denials()]


def test_the_services_have_the_key(deployed: LocalCloud, key: str) -> None:
    bucket = physical(deployed, TRAINING, "DataBucket")
    rules = deployed.client("s3").get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"] == key
    secret = deployed.client("secretsmanager").describe_secret(SecretId=physical(deployed, DATA, "LedgerAccess"))
    assert secret["KmsKeyId"] == key
    databases = deployed.client("rds").describe_db_instances()["DBInstances"]
    assert {database["KmsKeyId"] for database in databases if database["Engine"] == "postgres"} == {key}
    table = deployed.client("dynamodb").describe_table(TableName=physical(deployed, DATA, "Movies"))["Table"]
    assert table["SSEDescription"]["KMSMasterKeyArn"] == key


def test_an_alarm_sends_its_mail(deployed: LocalCloud, eventually: Eventually) -> None:
    name = deployed.outputs(TERMINATION)["AlarmName"]
    deployed.client("cloudwatch").set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="A test.")
    mails = eventually(
        lambda: [mail for mail in deployed.mailbox.glob("*.eml") if name in mail.read_text(errors="ignore")]
    )
    assert mails


def test_a_function_reads_queue_and_secret_and_writes_its_table(deployed: LocalCloud, eventually: Eventually) -> None:
    """An event that no engine takes is read from its queue, and ends in the table of what was given up."""
    outputs = deployed.outputs(DATA)
    deployed.client("sqs").send_message(
        QueueUrl=outputs["RentalEventsQueueUrl"],
        MessageBody="not an event",
        MessageGroupId="1",
        MessageDeduplicationId="1",
    )
    items = eventually(lambda: deployed.client("dynamodb").scan(TableName=outputs["DeadLettersTableName"])["Items"])
    assert items
    assert [action for action in denied(deployed) if action.startswith("kms:")] == []


def test_the_token_of_influxdb_was_kept_under_the_key(deployed: LocalCloud, key: str) -> None:
    arn = deployed.outputs(DATA)["SecretArn"]
    secrets = deployed.client("secretsmanager")
    assert secrets.describe_secret(SecretId=arn)["KmsKeyId"] == key
    assert json.loads(secrets.get_secret_value(SecretId=arn)["SecretString"])["token"]


def test_a_job_reads_and_writes_its_files_with_its_roles_use_of_the_key(deployed: LocalCloud) -> None:
    role = physical(deployed, TRAINING, "DigitClassifierJobRole")
    credentials = {name.lower(): value for name, value in deployed.role_credentials(role).items()}
    s3 = boto3.client("s3", endpoint_url=deployed.endpoint, region_name="us-east-1", **credentials)
    bucket = physical(deployed, TRAINING, "ArtifactBucket")
    s3.put_object(Bucket=bucket, Key="digit-classifier/run/model", Body=b"1")
    assert s3.get_object(Bucket=bucket, Key="digit-classifier/run/model")["Body"].read() == b"1"
    iam = deployed.client("iam")
    kept = iam.get_role_policy(RoleName=role, PolicyName="UseTheKey")["PolicyDocument"]
    iam.delete_role_policy(RoleName=role, PolicyName="UseTheKey")
    try:
        with pytest.raises(ClientError, match="kms:GenerateDataKey"):
            s3.put_object(Bucket=bucket, Key="digit-classifier/run/model", Body=b"2")
    finally:
        iam.put_role_policy(RoleName=role, PolicyName="UseTheKey", PolicyDocument=json.dumps(kept))


def findings(stack: str, key: str) -> list[Finding]:
    body = templates(Config.from_context({f"{SECTIONS[stack]}.kms_key_arn": key}), [stack])[stack]
    found = run([Template(stack, body, SECTIONS[stack])], Account(), subjects.CHECKS)
    return [finding for finding in found if finding.check == "KMS keys"]


@pytest.mark.parametrize("stack", list(StackName))
def test_preflight_has_nothing_against_the_policy_of_the_page(cloud: LocalCloud, key: str, stack: str) -> None:
    assert [finding.result for finding in findings(stack, key)] == [Verdict.OK]


@pytest.mark.parametrize(
    ("without", "verdict", "words"),
    [
        ("LogGroups", Verdict.REFUSED, "does not let logs.us-east-1.amazonaws.com use it"),
        ("AlarmsPublish", Verdict.WARNING, "no alarm will send an e-mail"),
        ("RulesPublishAndKeepWhatFailed", Verdict.WARNING, "what rules send"),
        ("InfluxDBDeliversLogs", Verdict.WARNING, "InfluxDB's own logs"),
    ],
)
def test_preflight_says_what_the_policy_lacks(cloud: LocalCloud, without: str, verdict: Verdict, words: str) -> None:
    lacking = cloud.client("kms").create_key(Policy=policy(without))["KeyMetadata"]["Arn"]
    stack = StackName.DEVOPS_METRICS if without.startswith("Influx") else TERMINATION
    [finding] = findings(stack, lacking)
    assert (finding.result, words in finding.reason) == (verdict, True), finding
    assert "docs/encryption.md" in finding.way_out


def test_preflight_refuses_an_asymmetric_key(cloud: LocalCloud) -> None:
    made = cloud.client("kms").create_key(Policy=policy(), KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
    [finding] = findings(TERMINATION, made["KeyMetadata"]["Arn"])
    assert (finding.result, "asymmetric" in finding.reason) == (Verdict.REFUSED, True)
