"""WebApp: what its template promises, in either mode."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra.config import Config, ConfigError
from infra.web_app.servers import SCRIPT
from localcloud.engines.programs import environment, find

from .conftest import Json, Synthesised, as_list, of_type, only, statements

CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/0a1b2c3d"
EVERYBODY = {"0.0.0.0/0", "::/0"}


@pytest.fixture(scope="session")
def template(synthesised: Synthesised) -> Json:
    return synthesised.templates["WebApp"]


@pytest.fixture(scope="session")
def balanced(synthesise: Callable[..., Json]) -> Json:
    return synthesise("web-app.yaml", {"web_app.certificate_arn": CERTIFICATE})


@pytest.fixture(scope="session")
def open_to_ssh(synthesise: Callable[..., Json]) -> Json:
    return synthesise("web-app.yaml", {"web_app.ssh_key_name": "mine", "web_app.ssh_cidr": "203.0.113.7/32"})


@pytest.fixture(scope="session")
def deletable(synthesise: Callable[..., Json]) -> Json:
    return synthesise("web-app.yaml", {"allow_data_deletion": True, "web_app.delete_data": True})


@pytest.fixture(scope="session")
def rotating(synthesise: Callable[..., Json]) -> Json:
    return synthesise("web-app.yaml", {"web_app.password_rotation_days": 30})


def launched(template: Json) -> Json:
    data: Json = only(template, "AWS::EC2::LaunchTemplate")["LaunchTemplateData"]
    return data


def group_of(value: Any) -> str:
    """Logical id of the security group that a rule names."""
    return str(value["Fn::GetAtt"][0])


def ways_in(template: Json) -> set[tuple[str, int, str]]:
    """Into which group, on which port, from where: a network, or another group."""
    return {
        (group_of(rule["GroupId"]), rule["FromPort"], rule.get("CidrIp") or group_of(rule["SourceSecurityGroupId"]))
        for _, body in of_type(template, "AWS::EC2::SecurityGroupIngress")
        for rule in [body["Properties"]]
    }


# Network


def test_public_and_isolated_subnets_lie_in_two_zones_with_route_tables_of_their_own(template: Json) -> None:
    for kind, public in (("Public", True), ("Database", False)):
        subnets = {n: b["Properties"] for n, b in of_type(template, "AWS::EC2::Subnet") if f"Vpc{kind}" in n}
        assert len({json.dumps(subnet["AvailabilityZone"]) for subnet in subnets.values()}) == 2
        assert {subnet["MapPublicIpOnLaunch"] for subnet in subnets.values()} == {public}
        associated = {
            body["Properties"]["SubnetId"]["Ref"]: body["Properties"]["RouteTableId"]["Ref"]
            for _, body in of_type(template, "AWS::EC2::SubnetRouteTableAssociation")
        }
        tables = {associated[name] for name in subnets}
        routed = {body["Properties"]["RouteTableId"]["Ref"] for _, body in of_type(template, "AWS::EC2::Route")}
        assert len(tables) == 2
        assert (tables <= routed) is public, "only public subnets have a way out"
        assert public or not tables & routed


def test_there_is_no_nat_and_the_way_to_s3_is_free(template: Json) -> None:
    assert not list(of_type(template, "AWS::EC2::NatGateway"))
    endpoint = only(template, "AWS::EC2::VPCEndpoint")
    assert endpoint["VpcEndpointType"] == "Gateway"
    assert len(endpoint["RouteTableIds"]) == 2


def test_traffic_is_logged(template: Json) -> None:
    log = only(template, "AWS::EC2::FlowLog")
    assert (log["TrafficType"], log["LogDestinationType"]) == ("ALL", "cloud-watch-logs")


def test_visitors_reach_the_instance_and_the_instance_alone_the_database(template: Json) -> None:
    assert ways_in(template) == {
        ("NetworkInstances", 80, "0.0.0.0/0"),
        ("NetworkInstances", 443, "0.0.0.0/0"),
        ("NetworkDatabase", 3306, "NetworkInstances"),
    }
    assert only(template, "AWS::RDS::DBInstance")["VPCSecurityGroups"] == [
        {"Fn::GetAtt": ["NetworkDatabase", "GroupId"]}
    ]


def test_the_instance_leaves_by_https_and_to_the_database_alone(template: Json) -> None:
    groups = dict(of_type(template, "AWS::EC2::SecurityGroup"))
    out = groups["NetworkInstances"]["Properties"]["SecurityGroupEgress"]
    assert [(rule["FromPort"], rule["ToPort"]) for rule in out] == [(443, 443)]
    [(_, more)] = of_type(template, "AWS::EC2::SecurityGroupEgress")
    assert (more["Properties"]["FromPort"], group_of(more["Properties"]["DestinationSecurityGroupId"])) == (
        3306,
        "NetworkDatabase",
    )
    nothing = groups["NetworkDatabase"]["Properties"]["SecurityGroupEgress"]
    assert {rule["CidrIp"] for rule in nothing} == {"255.255.255.255/32"}  # the CDK's way to say: nowhere


def test_the_site_may_be_narrowed_to_a_network(synthesise: Callable[..., Json]) -> None:
    narrowed = synthesise("web-app.yaml", {"web_app.allowed_cidr": "203.0.113.0/24"})
    assert {peer for group, _, peer in ways_in(narrowed) if group == "NetworkInstances"} == {"203.0.113.0/24"}


def test_ssh_is_open_from_one_network_when_both_key_and_network_are_given(open_to_ssh: Json, template: Json) -> None:
    assert ("NetworkInstances", 22, "203.0.113.7/32") in ways_in(open_to_ssh)
    assert launched(open_to_ssh)["KeyName"] == "mine"
    assert 22 not in {port for _, port, _ in ways_in(template)}
    assert "KeyName" not in launched(template)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"ssh_key_name": "k", "ssh_cidr": "0.0.0.0/0"}, "ssh_cidr"),
        ({"ssh_key_name": "k", "ssh_cidr": "1.2.3.4/0"}, "ssh_cidr"),
        ({"ssh_key_name": "k", "ssh_cidr": "0.0.0.0/1"}, "ssh_cidr"),
        ({"ssh_key_name": "k", "ssh_cidr": "::/0"}, "ssh_cidr"),
        ({"ssh_key_name": "k", "ssh_cidr": "10.0.0.0/8,0.0.0.0/0"}, "ssh_cidr"),
        ({"ssh_key_name": "k", "ssh_cidr": "300.0.0.0/8"}, "ssh_cidr"),
        ({"ssh_key_name": "k", "ssh_cidr": "10.0.0.1/8"}, "ssh_cidr"),
        ({"ssh_key_name": "k"}, "go together"),
        ({"ssh_cidr": "203.0.113.7/32"}, "go together"),
        ({"allowed_cidr": "everywhere"}, "allowed_cidr"),
        ({"certificate_arn": "certificate"}, "certificate_arn"),
        ({"database_storage_gib": 100, "database_maximum_storage_gib": 100}, "a tenth above"),
        ({"database_snapshot": "before", "database_source": "db-ABC"}, "exclude each other"),
        ({"database_restore_time": "2026-11-29T08:30:00Z"}, "needs database_source"),
        ({"database_source": "my-database"}, "database_source"),
        ({"backup_days": 0}, "backup_days"),
        ({"maximum_instances": 1}, "maximum_instances"),
        ({"backup_window": "25:00-26:00"}, "backup_window"),
        ({"backup_window": "03:00-03:20"}, "half an hour or more"),
        ({"backup_window": "05:00-06:00"}, "must not overlap"),
        ({"backup_window": "23:50-04:31"}, "must not overlap"),
        ({"maintenance_window": "sunday:04:30-sunday:05:30"}, "maintenance_window"),
        ({"maintenance_window": "sun:04:30-sun:04:50"}, "half an hour to a day"),
        ({"maintenance_window": "sun:04:30-tue:04:30"}, "half an hour to a day"),
        ({"maintenance_window": "sun:23:30-mon:03:30"}, "must not overlap"),
        ({"code": "s3://bucket/it's.zip"}, "code"),
    ],
)
def test_what_would_be_unsafe_or_impossible_is_refused(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        Config.from_context({f"web_app.{name}": value for name, value in settings.items()})


@pytest.mark.parametrize("cidr", [*sorted(EVERYBODY), "0.0.0.0/1", "10.0.0.0/7", "203.0.113.7", "10.0.0.0/8 0.0.0.0/0"])
def test_the_console_refuses_ssh_from_everybody(all_templates: dict[str, Json], cidr: str) -> None:
    parameter = all_templates["web-app.yaml"]["Parameters"]["SshCidr"]
    assert not re.fullmatch(parameter["AllowedPattern"], cidr)
    assert re.fullmatch(parameter["AllowedPattern"], "203.0.113.7/32")
    assert "never opened to everybody" in parameter["ConstraintDescription"]


def test_in_the_console_ssh_needs_both(all_templates: dict[str, Json]) -> None:
    console = all_templates["web-app.yaml"]
    assert console["Resources"]["Ssh"]["Condition"] == "HasSsh"
    given = [{"Fn::Not": [{"Fn::Equals": [{"Ref": name}, ""]}]} for name in ("SshKeyName", "SshCidr")]
    assert console["Conditions"]["HasSsh"] == {"Fn::And": given}


# Instance


def test_the_instance_is_the_newest_amazon_linux_2023_and_its_start_decides_the_stacks(template: Json) -> None:
    assert re.match(r"resolve:ssm:/aws/service/.*/al2023-ami", launched(template)["ImageId"])
    instance = template["Resources"]["Instance"]
    assert instance["CreationPolicy"]["ResourceSignal"] == {"Count": 1, "Timeout": "PT15M"}
    assert {"DatabaseAttachment", "InstanceRoleDefaultPolicy"} <= set(instance["DependsOn"])
    assert instance["Properties"]["SubnetId"]["Ref"].startswith("NetworkVpcPublic")


def test_the_address_stays_when_the_instance_is_replaced(template: Json) -> None:
    association = only(template, "AWS::EC2::EIPAssociation")
    assert association["AllocationId"] == {"Fn::GetAtt": ["Address", "AllocationId"]}
    assert association["InstanceId"] == {"Ref": "Instance"}


def test_the_instance_may_read_its_bucket_and_secrets_and_report_and_nothing_else(template: Json) -> None:
    role = [s for name, s in statements(template) if name == "InstanceRoleDefaultPolicy"]
    actions = {action for statement in role for action in as_list(statement["Action"])}
    assert actions == {
        "s3:GetObject",
        "s3:ListBucket",
        "secretsmanager:GetSecretValue",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "cloudwatch:PutMetricData",
    }
    managed = only_role(template)["ManagedPolicyArns"]
    assert [json.dumps(arn).split("policy/")[1][:28] for arn in managed] == ["AmazonSSMManagedInstanceCore"]
    [secrets] = [s["Resource"] for s in role if s["Action"] == "secretsmanager:GetSecretValue"]
    assert [secret["Ref"] for secret in secrets] == ["DatabaseAccess", "Session"]


def only_role(template: Json) -> Json:
    properties: Json = template["Resources"]["InstanceRole"]["Properties"]
    return properties


def script(template: Json) -> tuple[str, Json]:
    """The start script of the launch template, and the values that are put into it."""
    text, values = launched(template)["UserData"]["Fn::Base64"]["Fn::Sub"]
    return text, values


def test_the_start_script_is_the_file_with_the_deployments_values_on_top(template: Json, balanced: Json) -> None:
    text, values = script(template)
    first, _, rest = SCRIPT.read_text().partition("\n")
    assert text.startswith(first)
    assert text.endswith(rest)
    assert len(text) < 16_384, "EC2 takes no more"
    assert (values["Resource"], values["TrustedProxy"]) == ("Instance", "")
    assert values["StorefrontDatabaseSecret"] == {"Ref": "DatabaseAccess"}, "the secret's name, not the secret"
    _, behind = script(balanced)
    assert behind["Resource"] == "AutoScalingGroup"
    assert behind["TrustedProxy"] == {"Fn::GetAtt": ["NetworkVpc", "CidrBlock"]}


def leads_to(template: Json) -> Any:
    """What the load balancer's redirect to HTTPS keeps of the visitor's host."""
    listeners = [body["Properties"] for _, body in of_type(template, "AWS::ElasticLoadBalancingV2::Listener")]
    [actions] = [listener["DefaultActions"] for listener in listeners if listener["Port"] == 80]
    return actions[0]["RedirectConfig"]["Host"]


def test_http_leads_to_the_sites_own_name_whatever_host_a_visitor_names(
    template: Json, balanced: Json, synthesise: Callable[..., Json]
) -> None:
    name = {"web_app.host_name": "films.example.com"}
    assert script(template)[1]["SiteName"] == {"Ref": "Address"}
    assert script(synthesise("web-app.yaml", name))[1]["SiteName"] == "films.example.com"
    assert leads_to(synthesise("web-app.yaml", name | {"web_app.certificate_arn": CERTIFICATE})) == "films.example.com"
    assert leads_to(balanced) == "#{host}", "the name is the certificate's, which the template does not know"


def test_in_the_console_the_name_is_the_one_that_is_given_or_the_instances_address(
    all_templates: dict[str, Json],
) -> None:
    console = all_templates["web-app.yaml"]
    given = {"Ref": "HostName"}
    address = {"Fn::If": ["HasHostName", given, {"Ref": "Address"}]}
    assert script(console)[1]["SiteName"] == {"Fn::If": ["IsSingle", address, {"Fn::If": ["HasHostName", given, ""]}]}
    assert leads_to(console) == {"Fn::If": ["HasHostName", given, "#{host}"]}


@pytest.mark.parametrize(
    "name", ["localhost", "a b.example", "films.example.com/x", "-a.example", "1.2.3.4'", "x\ny.com"]
)
def test_a_host_name_is_a_name_and_nothing_else(name: str) -> None:
    with pytest.raises(ConfigError, match="host_name"):
        Config.from_context({"web_app.host_name": name})


def test_no_secret_is_in_the_template(template: Json) -> None:
    database = only(template, "AWS::RDS::DBInstance")
    assert "{{resolve:secretsmanager:" in json.dumps(database["MasterUserPassword"])
    assert "{{resolve" not in json.dumps(launched(template))


def test_shellcheck_finds_nothing_in_the_start_script() -> None:
    done = subprocess.run(
        [find("shellcheck"), str(SCRIPT)],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")


# Data


def test_the_database_is_mysql_private_encrypted_and_speaks_tls_alone(template: Json) -> None:
    database = only(template, "AWS::RDS::DBInstance")
    assert (database["Engine"], database["EngineVersion"]) == ("mysql", "8.4")
    assert database["StorageEncrypted"] is True
    assert database["PubliclyAccessible"] is False
    assert only(template, "AWS::RDS::DBParameterGroup")["Parameters"]["require_secure_transport"] == "1"
    subnets = [subnet["Ref"] for subnet in only(template, "AWS::RDS::DBSubnetGroup")["SubnetIds"]]
    assert [name.startswith("NetworkVpcDatabase") for name in subnets] == [True, True]


def test_the_database_is_backed_up_and_kept_until_both_keys_are_turned(template: Json, deletable: Json) -> None:
    kept = template["Resources"]["DatabaseInstance"]
    assert (kept["Properties"]["BackupRetentionPeriod"], kept["Properties"]["PreferredBackupWindow"]) == (
        7,
        "03:00-04:00",
    )
    assert kept["Properties"]["DeleteAutomatedBackups"] is False
    assert (kept["DeletionPolicy"], kept["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
    assert deletable["Resources"]["DatabaseInstance"]["DeletionPolicy"] == "Delete"


INHERITED = ("DBName", "MasterUsername", "StorageEncrypted", "KmsKeyId")
ORIGIN = (*INHERITED, "DBSnapshotIdentifier", "SourceDbiResourceId", "RestoreTime")


@pytest.mark.parametrize(
    ("settings", "origin"),
    [
        ({"database_snapshot": "before"}, {"DBSnapshotIdentifier": "before"}),
        ({"database_source": "db-ABC"}, {"SourceDbiResourceId": "db-ABC"}),
        (
            {"database_source": "db-ABC", "database_restore_time": "2026-11-29T08:30:00Z"},
            {"SourceDbiResourceId": "db-ABC", "RestoreTime": "2026-11-29T08:30:00Z"},
        ),
    ],
)
def test_a_restored_database_inherits_its_data_and_gets_the_password_of_the_stacks_secret(
    synthesise: Callable[..., Json], template: Json, settings: dict[str, str], origin: Json
) -> None:
    key = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000"
    context = {f"web_app.{name}": value for name, value in settings.items()} | {"web_app.kms_key_arn": key}
    restored = only(synthesise("web-app.yaml", context), "AWS::RDS::DBInstance")
    assert {key: restored[key] for key in ORIGIN if key in restored} == origin
    assert restored.get("UseLatestRestorableTime", False) is (origin.keys() == {"SourceDbiResourceId"})
    usual = only(template, "AWS::RDS::DBInstance")
    assert restored["MasterUserPassword"] == usual["MasterUserPassword"]
    assert (restored["VPCSecurityGroups"], restored["DBParameterGroupName"]) == (
        usual["VPCSecurityGroups"],
        usual["DBParameterGroupName"],
    )


def test_the_database_is_protected_once_the_setting_says_so(template: Json, synthesise: Callable[..., Json]) -> None:
    """Protected from the start, it could not be deleted when a first deployment rolls back."""

    def protected(context: Json) -> Any:
        return synthesise("web-app.yaml", context)["Resources"]["DatabaseInstance"]["Properties"]["DeletionProtection"]

    on = {"web_app.database_deletion_protection": True}
    assert template["Resources"]["DatabaseInstance"]["Properties"]["DeletionProtection"] is False
    assert protected(on) is True
    assert protected(on | {"allow_data_deletion": True, "web_app.delete_data": True}) is False


def test_one_key_deletes_nothing(synthesise: Callable[..., Json]) -> None:
    for key in ("allow_data_deletion", "web_app.delete_data"):
        database = synthesise("web-app.yaml", {key: True})["Resources"]["DatabaseInstance"]
        assert database["DeletionPolicy"] == "RetainExceptOnCreate"


def test_the_secret_is_attached_to_the_database(template: Json) -> None:
    attachment = only(template, "AWS::SecretsManager::SecretTargetAttachment")
    assert (attachment["SecretId"], attachment["TargetId"]) == ({"Ref": "DatabaseAccess"}, {"Ref": "DatabaseInstance"})


def test_rotation_is_aws_own_function_with_a_way_to_the_database_and_to_the_secret(rotating: Json) -> None:
    schedule = only(rotating, "AWS::SecretsManager::RotationSchedule")
    assert schedule["HostedRotationLambda"]["RotationType"] == "MySQLSingleUser"
    assert schedule["RotationRules"] == {"AutomaticallyAfterDays": 30}
    assert as_list(rotating["Transform"]) == ["AWS::SecretsManager-2024-09-16"]
    assert ("NetworkDatabase", 3306, "DatabaseRotation") in ways_in(rotating)
    assert ("DatabaseSecretsManager", 443, "DatabaseRotation") in ways_in(rotating)


def test_the_bucket_is_versioned_private_encrypted_and_reached_by_tls_alone(template: Json) -> None:
    bucket = only(template, "AWS::S3::Bucket")
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert bucket["BucketEncryption"]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    denied = [s for owner, s in statements(template) if owner == "AssetsPolicy" and s["Effect"] == "Deny"]
    assert [s["Condition"] for s in denied] == [{"Bool": {"aws:SecureTransport": "false"}}]


# Watching


def test_alarms_watch_instance_database_and_application(template: Json) -> None:
    alarms = {name: body["Properties"] for name, body in of_type(template, "AWS::CloudWatch::Alarm")}
    assert {name: (a["Namespace"], a["MetricName"]) for name, a in alarms.items()} == {
        "ProcessorAlarm": ("AWS/EC2", "CPUUtilization"),
        "StatusCheckAlarm": ("AWS/EC2", "StatusCheckFailed"),
        "DatabaseStorageAlarm": ("AWS/RDS", "FreeStorageSpace"),
        "DatabaseConnectionsAlarm": ("AWS/RDS", "DatabaseConnections"),
        "ApplicationErrorsAlarm": ("Groundwork/Storefront", "Errors"),
        "TopicDeliveryAlarm": ("AWS/SNS", "NumberOfNotificationsFailed"),
    }
    for name, one in alarms.items():
        assert len(one["AlarmDescription"]) > 100, name


def test_two_sites_do_not_mix_what_they_measure(template: Json) -> None:
    alarm = template["Resources"]["ApplicationErrorsAlarm"]["Properties"]
    assert alarm["Dimensions"] == [{"Name": "Stack", "Value": {"Ref": "AWS::StackName"}}]
    dashboard = json.dumps(only(template, "AWS::CloudWatch::Dashboard")["DashboardBody"]).replace("\\", "")
    measured = re.findall(r'"Groundwork/Storefront", ?"\w+", ?"(\w+)"', dashboard)
    assert measured == ["Stack"] * dashboard.count("Groundwork/Storefront") != []


def test_the_e_mail_is_sent_to_who_asked(synthesise: Callable[..., Json]) -> None:
    subscription = only(synthesise("web-app.yaml", {"web_app.email": "ops@example.com"}), "AWS::SNS::Subscription")
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "ops@example.com")


@pytest.mark.parametrize(
    "metric",
    [
        *("CPUUtilization", "NetworkIn", "NetworkOut", "StatusCheckFailed", "DatabaseConnections"),
        *("FreeStorageSpace", "Latency", "Errors", "Requests", "MemoryUtilization", "DiskUtilization"),
    ],
)
def test_the_dashboard_shows(template: Json, metric: str) -> None:
    assert f'"{metric}"' in json.dumps(only(template, "AWS::CloudWatch::Dashboard")["DashboardBody"]).replace("\\", "")


# Several instances


def test_one_setting_puts_a_group_behind_a_load_balancer_with_https(balanced: Json) -> None:
    assert not list(of_type(balanced, "AWS::EC2::Instance"))
    assert not list(of_type(balanced, "AWS::EC2::EIP"))
    listeners = {
        b["Properties"]["Port"]: b["Properties"] for _, b in of_type(balanced, "AWS::ElasticLoadBalancingV2::Listener")
    }
    assert listeners[443]["Certificates"] == [{"CertificateArn": CERTIFICATE}]
    assert listeners[443]["SslPolicy"].startswith("ELBSecurityPolicy-TLS13-1-2")
    assert listeners[80]["DefaultActions"][0]["RedirectConfig"]["Protocol"] == "HTTPS"
    group = balanced["Resources"]["AutoScalingGroup"]
    assert len(group["Properties"]["VPCZoneIdentifier"]) == 2
    assert (group["Properties"]["MinSize"], group["Properties"]["HealthCheckType"]) == ("2", "ELB")
    assert group["CreationPolicy"]["ResourceSignal"]["Count"] == 2
    assert group["UpdatePolicy"]["AutoScalingRollingUpdate"]["WaitOnResourceSignals"] is True


def test_behind_the_load_balancer_nobody_else_reaches_the_instances(balanced: Json) -> None:
    assert ways_in(balanced) == {
        ("Balancer", 80, "0.0.0.0/0"),
        ("Balancer", 443, "0.0.0.0/0"),
        ("NetworkInstances", 80, "Balancer"),
        ("NetworkDatabase", 3306, "NetworkInstances"),
    }


def test_alarms_watch_the_group_when_there_is_one(balanced: Json) -> None:
    alarm = balanced["Resources"]["ProcessorAlarm"]["Properties"]
    assert alarm["Dimensions"] == [{"Name": "AutoScalingGroupName", "Value": {"Ref": "AutoScalingGroup"}}]


def test_the_console_has_both_modes_and_creates_one(all_templates: dict[str, Json]) -> None:
    console = all_templates["web-app.yaml"]
    conditions = {name: body.get("Condition") for name, body in console["Resources"].items()}
    assert {conditions[name] for name in ("Instance", "Address", "AddressOfInstance", "InstancesHttp")} == {"IsSingle"}
    several = ("LoadBalancer", "Targets", "HttpsListener", "AutoScalingGroup", "ScalingPolicy", "BalancerToInstancesIn")
    assert {conditions[name] for name in several} == {"IsNotSingle"}


# The files that the instance gets with the code


def test_the_service_runs_without_privileges_and_reads_the_environment_the_script_writes() -> None:
    files = Path(__file__).parents[2] / "workloads" / "storefront" / "server"
    unit, start = (files / "storefront.service").read_text(), SCRIPT.read_text()
    assert "User=storefront" in unit
    assert "NoNewPrivileges=yes" in unit
    assert re.search(r"EnvironmentFile=(\S+)", unit)[1] == re.search(r"ENVIRONMENT=(\S+)", start)[1]  # type: ignore[index]
    agent = json.loads((files / "cloudwatch_agent.json").read_text())
    assert agent["metrics"]["namespace"] == "Groundwork/Storefront"
