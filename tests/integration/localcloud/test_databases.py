"""RDS: a real server behind every instance, with the credentials, TLS and parameters that the template says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pymysql
import pytest
from botocore.exceptions import ClientError

from localcloud import LocalCloud
from localcloud.engines import mariadb
from localcloud.errors import LocalCloudError

TEMPLATE = """
Resources:
  Vpc: {Type: 'AWS::EC2::VPC', Properties: {CidrBlock: 10.0.0.0/16}}
  Subnet: {Type: 'AWS::EC2::Subnet', Properties: {VpcId: !Ref Vpc, CidrBlock: 10.0.0.0/24}}
  Secret:
    Type: AWS::SecretsManager::Secret
    Properties:
      GenerateSecretString:
        {SecretStringTemplate: '{"username": "keeper"}', GenerateStringKey: password, ExcludePunctuation: true}
  Subnets: {Type: 'AWS::RDS::DBSubnetGroup', Properties: {DBSubnetGroupDescription: all, SubnetIds: [!Ref Subnet]}}
  Parameters:
    Type: AWS::RDS::DBParameterGroup
    Properties: {Family: mysql8.4, Description: TLS, Parameters: {require_secure_transport: '1'}}
  Database:
    Type: AWS::RDS::DBInstance
    Properties:
      Engine: mysql
      DBInstanceClass: db.t4g.micro
      AllocatedStorage: '20'
      StorageEncrypted: true
      DBName: shop
      DBSubnetGroupName: !Ref Subnets
      DBParameterGroupName: !Ref Parameters
      MasterUsername: !Sub '{{resolve:secretsmanager:${Secret}:SecretString:username::}}'
      MasterUserPassword: !Sub '{{resolve:secretsmanager:${Secret}:SecretString:password::}}'
  Attachment:
    Type: AWS::SecretsManager::SecretTargetAttachment
    Properties: {SecretId: !Ref Secret, TargetId: !Ref Database, TargetType: 'AWS::RDS::DBInstance'}
Outputs:
  Instance: {Value: !Ref Database}
  Secret: {Value: !Ref Attachment}
  Address: {Value: !Sub '${Database.Endpoint.Address}:${Database.Endpoint.Port}'}
"""


@pytest.fixture(scope="module")
def deployed(cloud: LocalCloud) -> dict[str, str]:
    cloud.client("cloudformation").create_stack(StackName="Shop", TemplateBody=TEMPLATE)
    return cloud.outputs("Shop")


@pytest.fixture(scope="module")
def secret(cloud: LocalCloud, deployed: dict[str, str]) -> dict[str, Any]:
    """What the template's secret holds once it is attached."""
    value = cloud.client("secretsmanager").get_secret_value(SecretId=deployed["Secret"])
    found: dict[str, Any] = json.loads(value["SecretString"])
    return found


def connect(cloud: LocalCloud, secret: dict[str, Any], **options: Any) -> Any:
    tls = {"ssl": {"ca": str(cloud.certificate_authority)}}
    user = {"user": secret["username"], "password": secret["password"]}
    return pymysql.connect(
        host=secret["host"], port=secret["port"], database=secret["dbname"], **{**tls, **user, **options}
    )


@pytest.fixture
def cursor(cloud: LocalCloud, secret: dict[str, Any]) -> Iterator[Any]:
    with connect(cloud, secret, autocommit=True) as connection, connection.cursor() as cursor:
        yield cursor


def test_the_attached_secret_opens_the_database(deployed: dict[str, str], secret: dict[str, Any], cursor: Any) -> None:
    assert (secret["engine"], secret["dbname"], secret["username"]) == ("mysql", "shop", "keeper")
    assert f"{secret['host']}:{secret['port']}" == deployed["Address"]
    assert secret["dbInstanceIdentifier"] == deployed["Instance"]
    cursor.execute("SELECT DATABASE(), CURRENT_USER()")
    assert cursor.fetchall() == (("shop", "keeper@%"),)


def test_the_connection_is_encrypted_and_another_is_refused(
    cloud: LocalCloud, secret: dict[str, Any], cursor: Any
) -> None:
    cursor.execute("SHOW STATUS LIKE 'Ssl_version'")
    assert cursor.fetchone()[1] in ("TLSv1.2", "TLSv1.3")
    with pytest.raises(pymysql.err.OperationalError):
        connect(cloud, secret, ssl=None, ssl_disabled=True)


def test_a_wrong_password_is_refused(cloud: LocalCloud, secret: dict[str, Any]) -> None:
    with pytest.raises(pymysql.err.OperationalError, match="Access denied"):
        connect(cloud, secret, password="wrong")  # noqa: S106 - that is the test


def test_the_master_user_may_not_do_what_rds_keeps_to_itself(cursor: Any) -> None:
    with pytest.raises(pymysql.err.OperationalError, match=r"FILE|SUPER|denied"):
        cursor.execute("SELECT 1 INTO OUTFILE '/tmp/never'")


def test_data_outlive_a_stop_and_a_reboot(
    cloud: LocalCloud, deployed: dict[str, str], secret: dict[str, Any], cursor: Any
) -> None:
    cursor.execute("CREATE TABLE kept (n INT)")
    cursor.execute("INSERT INTO kept VALUES (42)")
    rds, instance = cloud.client("rds"), {"DBInstanceIdentifier": deployed["Instance"]}
    rds.stop_db_instance(**instance)
    with pytest.raises(pymysql.err.OperationalError):
        connect(cloud, secret)
    rds.start_db_instance(**instance)
    rds.reboot_db_instance(**instance)
    with connect(cloud, secret) as connection, connection.cursor() as again:
        again.execute("SELECT n FROM kept")
        assert again.fetchall() == ((42,),)


def test_storage_and_connections_are_metrics(
    cloud: LocalCloud, deployed: dict[str, str], cursor: Any, eventually: Callable[[Callable[[], Any]], Any]
) -> None:
    def latest(name: str) -> list[float]:
        now = datetime.now(UTC)
        points = cloud.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/RDS",
            MetricName=name,
            Dimensions=[{"Name": "DBInstanceIdentifier", "Value": deployed["Instance"]}],
            StartTime=now - timedelta(minutes=5),
            EndTime=now + timedelta(minutes=1),
            Period=60,
            Statistics=["Maximum"],
        )["Datapoints"]
        return [point["Maximum"] for point in points]

    free = eventually(lambda: latest("FreeStorageSpace"))
    assert 19 * 1024**3 < free[0] < 20 * 1024**3
    assert eventually(lambda: any(number >= 1 for number in latest("DatabaseConnections")))


def test_a_changed_secret_becomes_the_password_with_the_next_update(
    cloud: LocalCloud, deployed: dict[str, str], secret: dict[str, Any]
) -> None:
    changed = {**secret, "password": "another'one\\"}
    cloud.client("secretsmanager").put_secret_value(SecretId=deployed["Secret"], SecretString=json.dumps(changed))
    cloud.client("rds").modify_db_instance(
        DBInstanceIdentifier=deployed["Instance"], MasterUserPassword=changed["password"], ApplyImmediately=True
    )
    with connect(cloud, changed) as connection:
        assert connection.open
    cloud.client("rds").modify_db_instance(
        DBInstanceIdentifier=deployed["Instance"], MasterUserPassword=secret["password"], ApplyImmediately=True
    )


def test_an_updated_secret_keeps_what_the_attachment_wrote(cloud: LocalCloud, deployed: dict[str, str]) -> None:
    body = TEMPLATE.replace(
        "    Properties:\n      GenerateSecretString",
        "    Properties:\n      Description: d\n      GenerateSecretString",
    )
    cloud.client("cloudformation").update_stack(StackName="Shop", TemplateBody=body)
    value = cloud.client("secretsmanager").get_secret_value(SecretId=deployed["Secret"])
    assert json.loads(value["SecretString"])["dbname"] == "shop"


def test_a_server_that_cannot_start_fails_the_instance_and_leaves_none(cloud: LocalCloud) -> None:
    rds = cloud.client("rds")
    rds.create_db_parameter_group(DBParameterGroupName="odd", DBParameterGroupFamily="mysql8.4", Description="odd")
    # Which MySQL has and MariaDB has not.
    wrong = {"ParameterName": "character_set_server", "ParameterValue": "gb18030", "ApplyMethod": "pending-reboot"}
    rds.modify_db_parameter_group(DBParameterGroupName="odd", Parameters=[wrong])
    with pytest.raises(ClientError, match="did not start"):
        rds.create_db_instance(
            DBInstanceIdentifier="odd",
            DBInstanceClass="db.t4g.micro",
            Engine="mysql",
            MasterUsername="me",
            MasterUserPassword="long-enough",
            DBParameterGroupName="odd",
        )
    assert "odd" not in [each["DBInstanceIdentifier"] for each in rds.describe_db_instances()["DBInstances"]]


def test_an_instance_of_mariadb_has_a_server_with_its_own_defaults(cloud: LocalCloud) -> None:
    rds = cloud.client("rds")
    newest = rds.describe_db_engine_versions(Engine="mariadb", DefaultOnly=True)["DBEngineVersions"][0]
    created = rds.create_db_instance(
        DBInstanceIdentifier="maria",
        Engine="mariadb",
        DBInstanceClass="db.t4g.micro",
        AllocatedStorage=20,
        DBName="shop",
        MasterUsername="keeper",
        MasterUserPassword="a-password-1",
    )["DBInstance"]
    assert created["EngineVersion"] == newest["EngineVersion"]
    place = rds.describe_db_instances(DBInstanceIdentifier="maria")["DBInstances"][0]["Endpoint"]
    user = {"username": "keeper", "password": "a-password-1", "dbname": "shop"}
    server = {"host": place["Address"], "port": place["Port"]}
    with connect(cloud, server | user) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT DATABASE(), @@sql_mode")
        ((database, mode),) = cursor.fetchall()
    assert (database, "ONLY_FULL_GROUP_BY" in mode, "STRICT_TRANS_TABLES" in mode) == ("shop", False, True)
    rds.delete_db_instance(DBInstanceIdentifier="maria", SkipFinalSnapshot=True)


def test_a_question_to_mariadb_is_answered_with_some_rows_and_cannot_write(tmp_path: Path) -> None:
    user = {"username": "keeper", "password": "a-password-1"}
    server = mariadb.start(tmp_path / "asked", database="shop", parameters={}, **user)
    try:
        answer = server.ask("shop", "SELECT 1 AS one, '50%' AS share UNION SELECT 2, 'x' UNION SELECT 3, 'y'", 2)
        assert (answer.columns, answer.rows, answer.more) == (["one", "share"], ((1, "50%"), (2, "x")), True)
        for writes in ("CREATE TABLE asked (id int)", "SELECT 1; DROP DATABASE shop", "/*! DROP DATABASE shop */"):
            with pytest.raises(LocalCloudError, match="MariaDB says"):
                server.ask("shop", writes, 2)
        assert server.ask("", "SHOW DATABASES LIKE 'shop'", 2).rows == (("shop",),)
    finally:
        server.stop()


def _parameter(name: str, value: str) -> dict[str, str]:
    return {"ParameterName": name, "ParameterValue": value, "ApplyMethod": "pending-reboot"}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            ("require_secure_transport", "ON"),
            "Invalid parameter value: ON for: require_secure_transport allowed values are: 0,1",
        ),
        (("require_secure_transports", "1"), "Could not find parameter with name: require_secure_transports"),
    ],
)
def test_a_parameter_that_rds_refuses_is_refused_and_none_beside_it_is_set(
    cloud: LocalCloud, wrong: tuple[str, str], message: str
) -> None:
    rds, group = cloud.client("rds"), f"refused-{wrong[1].lower()}"
    rds.create_db_parameter_group(DBParameterGroupName=group, DBParameterGroupFamily="mysql8.4", Description="d")
    parameters = [_parameter("slow_query_log", "1"), _parameter(*wrong)]
    with pytest.raises(ClientError) as caught:
        rds.modify_db_parameter_group(DBParameterGroupName=group, Parameters=parameters)
    error = caught.value.response["Error"]
    assert (error["Code"], error["Message"]) == ("InvalidParameterValue", message)
    assert rds.describe_db_parameters(DBParameterGroupName=group)["Parameters"] == []


def test_a_template_with_a_parameter_that_rds_refuses_does_not_deploy(cloud: LocalCloud) -> None:
    cloudformation = cloud.client("cloudformation")
    body = TEMPLATE.replace("require_secure_transport: '1'", "require_secure_transport: 'ON'")
    cloudformation.create_stack(StackName="Refused", TemplateBody=body)
    stack = cloudformation.describe_stacks(StackName="Refused")["Stacks"][0]
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "Invalid parameter value: ON for: require_secure_transport" in stack["StackStatusReason"]


def test_clusters_have_parameters_of_their_own(cloud: LocalCloud) -> None:
    rds, group = cloud.client("neptune"), {"DBClusterParameterGroupName": "graph"}
    rds.create_db_cluster_parameter_group(**group, DBParameterGroupFamily="neptune1.4", Description="d")
    rds.modify_db_cluster_parameter_group(**group, Parameters=[_parameter("neptune_enable_audit_log", "1")])
    with pytest.raises(ClientError, match="Could not find parameter with name: audit_log"):
        rds.modify_db_cluster_parameter_group(**group, Parameters=[_parameter("audit_log", "1")])
