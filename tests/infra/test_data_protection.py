"""What protects data, and how long what guards it is supported, in every template."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

import infra
from infra.console.templates import TEMPLATES
from infra.updates.record import templates
from localcloud.services.rds.parameter_groups import check

from .conftest import Json, as_list, of_type, usual

ALL = [*(stack.__name__ for stack in TEMPLATES.values()), *TEMPLATES]
SUPPORT: dict[str, Any] = yaml.safe_load(Path(infra.__path__[0], "support.yaml").read_text())


@pytest.fixture(params=ALL)
def template(request: pytest.FixtureRequest, all_templates: dict[str, Json]) -> Json:
    return all_templates[request.param]


def names(node: Any) -> set[str]:
    """Logical ids that a part of a template refers to."""
    if isinstance(node, dict):
        found = {str(node["Ref"])} if "Ref" in node else set()
        found |= {str(node["Fn::GetAtt"][0])} if "Fn::GetAtt" in node else set()
        return found.union(*(names(value) for value in node.values()))
    return set().union(*(names(value) for value in node)) if isinstance(node, list) else set()


def new(value: Any) -> Any:
    """A property of a database that is created empty; one that is restored inherits it."""
    return value["Fn::If"][2] if isinstance(value, dict) else value


def least(number: Any, template: Json) -> int:
    """A number, or the smallest that its parameter may be."""
    return int(template["Parameters"][number["Ref"]]["MinValue"] if isinstance(number, dict) else number)


def test_every_bucket_is_private_encrypted_and_reached_through_tls_alone(template: Json) -> None:
    policies = [body["Properties"] for _, body in of_type(template, "AWS::S3::BucketPolicy")]
    for name, body in of_type(template, "AWS::S3::Bucket"):
        bucket = body["Properties"]
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}, name
        assert len(bucket["PublicAccessBlockConfiguration"]) == 4, name
        assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"], name
        [policy] = [policy["PolicyDocument"] for policy in policies if name in names(policy["Bucket"])]
        denied = [
            statement
            for statement in policy["Statement"]
            if statement["Effect"] == "Deny" and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        ]
        assert [(as_list(statement["Action"]), statement["Principal"]) for statement in denied] == [
            (["s3:*"], {"AWS": "*"})
        ], name


def test_every_relational_database_is_private_encrypted_backed_up_and_has_no_password_in_the_template(
    template: Json,
) -> None:
    for name, body in of_type(template, "AWS::RDS::DBInstance"):
        database = body["Properties"]
        assert database["PubliclyAccessible"] is False, name
        assert new(database["StorageEncrypted"]) is True, name
        assert database["DBSubnetGroupName"], name
        assert least(database["BackupRetentionPeriod"], template) >= 1, name
        assert "{{resolve:secretsmanager:" in json.dumps(database["MasterUserPassword"]), name
        [parameters] = [template["Resources"][group] for group in names(database["DBParameterGroupName"])]
        required = {"require_secure_transport": "1", "rds.force_ssl": "1"}
        assert required.items() & parameters["Properties"]["Parameters"].items(), f"{name}: TLS is not required"


def test_every_parameter_of_a_database_has_a_value_that_rds_allows(template: Json) -> None:
    for _, body in of_type(template, "AWS::RDS::DBParameterGroup"):
        for name, value in body["Properties"]["Parameters"].items():
            check(body["Properties"]["Family"], name, value)


def test_graph_and_search_are_private_encrypted_and_signed_for(template: Json) -> None:
    for name, body in of_type(template, "AWS::Neptune::DBCluster"):
        cluster = body["Properties"]
        assert (new(cluster["StorageEncrypted"]), cluster["IamAuthEnabled"]) == (True, True), name
        assert least(cluster["BackupRetentionPeriod"], template) >= 1, name
        capacity = cluster["ServerlessScalingConfiguration"]
        assert float(usual(capacity["MinCapacity"], template)) == 1, name
        assert float(usual(capacity["MaxCapacity"], template)) == 2.5, name
    for name, body in of_type(template, "AWS::OpenSearchService::Domain"):
        domain = body["Properties"]
        assert domain["EncryptionAtRestOptions"] == {"Enabled": True}, name
        assert domain["NodeToNodeEncryptionOptions"] == {"Enabled": True}, name
        assert domain["DomainEndpointOptions"]["EnforceHTTPS"] is True, name
        assert domain["DomainEndpointOptions"]["TLSSecurityPolicy"].startswith("Policy-Min-TLS-1-2"), name
        assert domain["AdvancedSecurityOptions"]["Enabled"] is True, name
        assert domain["VPCOptions"], name


def test_tables_can_be_restored_unless_their_records_expire(template: Json) -> None:
    for name, body in of_type(template, "AWS::DynamoDB::Table"):
        table = body["Properties"]
        recovery = table.get("PointInTimeRecoverySpecification", {}).get("PointInTimeRecoveryEnabled")
        assert recovery or table["TimeToLiveSpecification"]["Enabled"], name


def test_queues_and_topics_are_encrypted(template: Json) -> None:
    for name, body in of_type(template, "AWS::SQS::Queue"):
        assert body["Properties"].get("SqsManagedSseEnabled") or body["Properties"].get("KmsMasterKeyId"), name
    for name, body in of_type(template, "AWS::SNS::Topic"):
        assert body["Properties"]["KmsMasterKeyId"], name


def test_no_secret_has_its_value_in_the_template(template: Json) -> None:
    for name, body in of_type(template, "AWS::SecretsManager::Secret"):
        assert "SecretString" not in body["Properties"], name
        assert "GenerateSecretString" in body["Properties"], name


def test_no_runtime_engine_or_image_is_past_its_end_of_support(template: Json) -> None:
    run = []
    for _, body in of_type(template, "AWS::Lambda::Function"):
        run.append(body["Properties"]["Runtime"])
    for _, body in of_type(template, "AWS::RDS::DBInstance"):
        run.append(f"{body['Properties']['Engine']} {body['Properties']['EngineVersion']}")
    for _, body in of_type(template, "AWS::OpenSearchService::Domain"):
        run.append(body["Properties"]["EngineVersion"])
    run += re.findall(r'"ImageType": "(\w+)"', json.dumps(template))
    run += re.findall(r"/aws/service/ami-amazon-linux-latest/([\w-]+)", json.dumps(template))
    for version in run:
        known = [
            entry["until"]
            for words, entry in SUPPORT.items()
            if re.match(rf"{re.escape(words)}\b|{words}[-_.]", version)
        ]
        assert known, f"{version}: infra/support.yaml does not say until when it is supported"
        assert min(known) > dt.datetime.now(dt.UTC).date(), f"{version} is out of support"


def test_the_windows_of_all_databases_are_settings() -> None:
    """In the forms of their services; a change of them replaces nothing (`infra/updates`)."""
    context: Json = {"data_ecosystem.search_off_peak_hour": 21}
    for section in ("web_app", "data_ecosystem"):
        context[f"{section}.maintenance_window"] = "sat:22:00-sat:22:30"
        context[f"{section}.backup_window"] = "22:30-23:00"
    bodies = [body for template in templates(context).values() for body in template["Resources"].values()]
    for kind, count in (("AWS::RDS::DBInstance", 2), ("AWS::Neptune::DBCluster", 1)):
        windows = [body["Properties"]["PreferredMaintenanceWindow"] for body in bodies if body["Type"] == kind]
        assert windows == ["sat:22:00-sat:22:30"] * count
    [domain] = [body["Properties"] for body in bodies if body["Type"] == "AWS::OpenSearchService::Domain"]
    start = {"WindowStartTime": {"Hours": 21, "Minutes": 0}}
    assert domain["OffPeakWindowOptions"] == {"Enabled": True, "OffPeakWindow": start}
