"""InfluxDB 3 is a cluster without anything that belongs to InfluxDB 2, reached on its own port."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .conftest import Json, of_type, only

#: What must be left out, or Timestream makes a cluster of InfluxDB 2.
OF_VERSION_2 = {"AllocatedStorage", "Bucket", "DbStorageType", "DeploymentType", "Organization", "Password", "Username"}


@pytest.fixture(params=["devops-metrics.yaml", "data-ecosystem.yaml"])
def template(request: pytest.FixtureRequest, synthesise: Callable[..., Json]) -> Json:
    section = request.param.removesuffix(".yaml").replace("-", "_")
    return synthesise(request.param, {f"{section}.influxdb_version": "3"})


def test_the_cluster_is_private_and_of_version_3(template: Json) -> None:
    cluster = only(template, "AWS::Timestream::InfluxDBCluster")
    assert cluster.keys() & OF_VERSION_2 == set()
    assert cluster["DbParameterGroupIdentifier"] == "InfluxDBV3Core"
    assert (cluster["Port"], cluster["PubliclyAccessible"]) == (8181, False)
    assert cluster["LogDeliveryConfiguration"]["S3Configuration"]["Enabled"] is True
    assert list(of_type(template, "AWS::Timestream::InfluxDBInstance")) == []


def test_its_clients_reach_its_port(template: Json) -> None:
    ways = [body["Properties"] for _, body in of_type(template, "AWS::EC2::SecurityGroupIngress")]
    ports = [way["FromPort"] for way in ways if "InfluxDB" in way["Description"]]
    assert set(ports) == {8181}


def test_no_function_makes_a_token(template: Json) -> None:
    assert [name for name, _ in of_type(template, "Custom::InfluxDBToken")] == []
    assert [name for name in template["Resources"] if "Token" in name] == []


def test_its_secret_is_published(template: Json) -> None:
    [(name, _)] = of_type(template, "AWS::Timestream::InfluxDBCluster")
    assert template["Outputs"]["SecretArn"]["Value"] == {"Fn::GetAtt": [name, "InfluxAuthParametersSecretArn"]}
    assert template["Outputs"]["Engine"]["Value"] == "influxdb3"
    assert "port 8181" in template["Outputs"]["Endpoint"]["Description"]
