"""A new account of the local cloud may have what a new account of AWS may have, and no more until it asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from contract.quotas import ADDRESSES, INTERNET_GATEWAYS, ON_DEMAND, VPCS, Quota
from localcloud import LocalCloud

Creation = Callable[[Any], object]


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with LocalCloud(tmp_path_factory.mktemp("new-account"), account="new") as running:
        yield running


def code_of(act: Callable[[], object]) -> str:
    """The code with which AWS refuses."""
    with pytest.raises(ClientError) as refused:
        act()
    return str(refused.value.response["Error"]["Code"])


@pytest.mark.parametrize(
    ("quota", "there", "create", "code"),
    [
        (VPCS, 1, lambda ec2: ec2.create_vpc(CidrBlock="10.0.0.0/16"), "VpcLimitExceeded"),
        (INTERNET_GATEWAYS, 1, lambda ec2: ec2.create_internet_gateway(), "InternetGatewayLimitExceeded"),
        (ADDRESSES, 0, lambda ec2: ec2.allocate_address(Domain="vpc"), "AddressLimitExceeded"),
    ],
)
def test_a_quota_holds_until_it_is_raised(
    new: LocalCloud, quota: Quota, there: int, create: Creation, code: str
) -> None:
    ec2, quotas = new.client("ec2"), new.client("service-quotas")
    for _ in range(quota.default - there):
        create(ec2)
    assert code_of(lambda: create(ec2)) == code
    names = {"ServiceCode": quota.service, "QuotaCode": quota.code}
    request = quotas.request_service_quota_increase(**names, DesiredValue=quota.default + 1)["RequestedQuota"]
    assert request["Status"] == "PENDING"
    assert quotas.get_requested_service_quota_change(RequestId=request["Id"])["RequestedQuota"]["Status"] == "APPROVED"
    assert quotas.get_service_quota(**names)["Quota"]["Value"] == quota.default + 1
    assert quotas.get_aws_default_service_quota(**names)["Quota"]["Value"] == quota.default
    create(ec2)
    assert code_of(lambda: create(ec2)) == code


def test_instances_beyond_the_vcpus_of_their_bucket_are_refused(new: LocalCloud) -> None:
    ec2 = new.client("ec2")

    def run(kind: str, count: int = 1, **options: Any) -> Any:
        return ec2.run_instances(ImageId="ami-12c6146b", InstanceType=kind, MinCount=count, MaxCount=count, **options)

    assert code_of(lambda: run("g4dn.xlarge")) == "VcpuLimitExceeded"
    spot = {"InstanceMarketOptions": {"MarketType": "spot"}}
    assert code_of(lambda: run("g4dn.xlarge", **spot)) == "MaxSpotInstanceCountExceeded"
    assert code_of(lambda: run("m7i.2xlarge")) == "VcpuLimitExceeded"
    (first, _) = run("t3.micro", 2)["Instances"]
    assert code_of(lambda: run("t3.micro")) == "VcpuLimitExceeded"  # 2 × 2 of 5 are used
    run("t3.micro", **spot)  # which counts against another quota
    ec2.terminate_instances(InstanceIds=[first["InstanceId"]])
    run("t3.micro")


def test_a_quota_is_raised_and_not_lowered(new: LocalCloud) -> None:
    quota = ON_DEMAND["p"]
    names = {"ServiceCode": quota.service, "QuotaCode": quota.code}
    quotas = new.client("service-quotas")
    refused = code_of(lambda: quotas.request_service_quota_increase(**names, DesiredValue=0))
    assert refused == "IllegalArgumentException"
    assert code_of(lambda: quotas.get_service_quota(ServiceCode="ec2", QuotaCode="L-0")) == "NoSuchResourceException"


def test_a_new_account_has_neither_live_analytics_nor_the_role_of_opensearch(new: LocalCloud) -> None:
    assert code_of(lambda: new.client("timestream-write").list_databases()) == "AccessDeniedException"
    subnets = new.client("ec2").describe_subnets()["Subnets"]
    domain = {
        "DomainName": "search",
        "EngineVersion": "OpenSearch_3.5",
        "VPCOptions": {"SubnetIds": [subnets[0]["SubnetId"]]},
    }
    assert code_of(lambda: new.client("opensearch").create_domain(**domain)) == "ValidationException"
    iam = new.client("iam")
    service = {"AWSServiceName": "opensearchservice.amazonaws.com"}
    iam.create_service_linked_role(**service)
    assert iam.get_role(RoleName="AWSServiceRoleForAmazonOpenSearchService")
    assert code_of(lambda: iam.create_service_linked_role(**service)) == "InvalidInput"


def test_an_established_account_has_raised_quotas(cloud: LocalCloud) -> None:
    names = {"ServiceCode": VPCS.service, "QuotaCode": VPCS.code}
    assert cloud.client("service-quotas").get_service_quota(**names)["Quota"]["Value"] > VPCS.default
    assert cloud.client("iam").get_role(RoleName="AWSServiceRoleForAmazonOpenSearchService")
    assert cloud.client("timestream-write").list_databases()["Databases"] == []


def test_engine_versions_and_classes_come_in_pages(cloud: LocalCloud) -> None:
    rds = cloud.client("rds")
    versions = rds.get_paginator("describe_db_engine_versions").paginate(Engine="postgres").build_full_result()
    names = [version["EngineVersion"] for version in versions["DBEngineVersions"]]
    assert len(names) == len(set(names)) > 100
    assert {version["DBParameterGroupFamily"] for version in versions["DBEngineVersions"]} >= {
        "postgres17",
        "postgres18",
    }
    options = rds.describe_orderable_db_instance_options(
        Engine="mysql", EngineVersion="8.4.10", DBInstanceClass="db.t4g.micro"
    )
    assert options["OrderableDBInstanceOptions"][0]["AvailabilityZones"]
    assert not rds.describe_orderable_db_instance_options(Engine="mysql", DBInstanceClass="db.t9.micro")[
        "OrderableDBInstanceOptions"
    ]


def test_few_services_take_a_suffix_for_their_role(cloud: LocalCloud) -> None:
    iam = cloud.client("iam")
    batch = {"AWSServiceName": "batch.amazonaws.com", "CustomSuffix": "mine"}
    assert code_of(lambda: iam.create_service_linked_role(**batch)) == "InvalidInput"
    role = iam.create_service_linked_role(**{**batch, "AWSServiceName": "autoscaling.amazonaws.com"})["Role"]
    assert role["RoleName"] == "AWSServiceRoleForAutoScaling_mine"
