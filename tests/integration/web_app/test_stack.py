"""The deployed stack: what it is made of, what its alarms do, in either mode."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from email import policy
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from contract.metrics import Namespace
from localcloud import LocalCloud
from localcloud.cloud.certificates import issue

from .conftest import deploy

Eventually = Callable[[Callable[[], Any]], Any]


def test_the_database_is_there_encrypted_and_private(cloud: LocalCloud, outputs: dict[str, str]) -> None:
    [database] = cloud.client("rds").describe_db_instances()["DBInstances"]
    assert str(database["Endpoint"]["Port"]) == outputs["DatabasePort"]
    assert (database["StorageEncrypted"], database["PubliclyAccessible"]) == (True, False)
    assert database["BackupRetentionPeriod"] == 7


def test_the_database_can_be_protected_once_the_stack_is_deployed(cloud: LocalCloud, outputs: dict[str, str]) -> None:
    [database] = cloud.client("rds").describe_db_instances()["DBInstances"]
    assert database["DeletionProtection"] is False
    cloud.client("cloudformation").update_stack(
        StackName="WebApp",
        UsePreviousTemplate=True,
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[
            {"ParameterKey": "DatabaseDeletionProtection", "ParameterValue": "true"},
            *({"ParameterKey": name, "UsePreviousValue": True} for name in ("Code", "Email")),
        ],
    )
    with pytest.raises(ClientError, match="Cannot delete protected DB Instance"):
        cloud.client("rds").delete_db_instance(
            DBInstanceIdentifier=database["DBInstanceIdentifier"], SkipFinalSnapshot=True
        )


def test_the_instance_has_the_stacks_address(cloud: LocalCloud, outputs: dict[str, str]) -> None:
    [address] = cloud.client("ec2").describe_addresses()["Addresses"]
    assert address["InstanceId"] == outputs["InstanceId"]
    assert outputs["SiteUrl"] == f"https://{address['PublicIp']}/"


def test_both_secrets_are_long_and_not_the_same_twice(cloud: LocalCloud, outputs: dict[str, str]) -> None:
    secrets = cloud.client("secretsmanager")
    database, session = (
        secrets.get_secret_value(SecretId=outputs[name])["SecretString"]
        for name in ("DatabaseSecretArn", "SessionSecretArn")
    )
    assert len(json.loads(database)["password"]) == 40
    assert re.fullmatch(r"\w{64}", session)


def test_a_storm_of_errors_ends_in_a_mail_that_says_what_to_do(
    cloud: LocalCloud, outputs: dict[str, str], eventually: Eventually
) -> None:
    site = {"Dimensions": [{"Name": "Stack", "Value": "WebApp"}], "MetricName": "Errors"}
    metric = site | {"Value": 5, "Unit": "Count", "Timestamp": datetime.now(UTC)}
    cloud.client("cloudwatch").put_metric_data(Namespace=Namespace.STOREFRONT, MetricData=[metric])

    def mails() -> list[str]:
        files = [BytesParser(policy=policy.default).parsebytes(p.read_bytes()) for p in cloud.mailbox.glob("*.eml")]
        alarm = outputs["ApplicationErrorsAlarmName"]
        return [str(mail.get_body(("plain",))) for mail in files if alarm in str(mail["Subject"])]

    [text] = eventually(mails)
    assert "Visitors met errors." in text


def test_one_parameter_makes_it_several_instances_behind_a_load_balancer(
    cloud: LocalCloud, outputs: dict[str, str], tmp_path: Path
) -> None:
    certificate = issue(cloud.folder, tmp_path)
    arn = cloud.client("acm").import_certificate(
        Certificate=certificate.certificate.read_bytes(), PrivateKey=certificate.key.read_bytes()
    )["CertificateArn"]
    several = deploy(cloud, "Several", CertificateArn=arn)
    assert "InstanceId" not in several
    groups = cloud.client("autoscaling").describe_auto_scaling_groups(
        AutoScalingGroupNames=[several["AutoScalingGroupName"]]
    )["AutoScalingGroups"]
    assert [len(group["Instances"]) for group in groups] == [2]
    assert groups[0]["VPCZoneIdentifier"].count("subnet-") == 2
    [balancer] = cloud.client("elbv2").describe_load_balancers()["LoadBalancers"]
    assert several["SiteUrl"] == f"https://{balancer['DNSName']}/"
    listeners = cloud.client("elbv2").describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    assert {listener["Port"] for listener in listeners} == {80, 443}
    assert len(cloud.client("ec2").describe_addresses()["Addresses"]) == 1, "the other stack's"
