"""Each cause that would make a deployment fail is named before the deployment, in a new account of the local cloud."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from contract.stacks import StackName
from groundwork.preflight import subjects
from groundwork.preflight.checks import Finding, Verdict, permissions, run
from groundwork.preflight.template import Template
from infra.config import Config
from infra.stack import SETTINGS
from infra.templates import templates
from localcloud import LocalCloud
from tests.documents import document
from workloads.account.reader import Account

Body = dict[str, Any]
Undo = Callable[[], object]
Plant = Callable[[Body, LocalCloud], Undo | None]

DATA, TRAINING, WEB = StackName.DATA_ECOSYSTEM, StackName.TRAINING, StackName.WEB_APP
TERMINATION = StackName.TERMINATION_ALARM
ROLES = ("opensearchservice.amazonaws.com", "spot.amazonaws.com")
BOOTSTRAP = "/cdk-bootstrap/hnb659fds/version"
ASSETS = "cdk-hnb659fds-assets-123456789012-us-east-1"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """A local cloud whose account is new, but has the service-linked roles."""
    with LocalCloud(tmp_path_factory.mktemp("new"), account="new") as running, pytest.MonkeyPatch.context() as patch:
        for name, value in running.environment().items():
            patch.setenv(name, value)
        for role in ROLES:
            running.client("iam").create_service_linked_role(AWSServiceName=role)
        yield running


@pytest.fixture(scope="module")
def bodies() -> dict[str, Body]:
    """The templates of all stacks with the settings' defaults."""
    return templates(Config())


def findings(stack: str, body: Body, account: Account | None = None) -> list[Finding]:
    return run([Template(stack, body, "training")], account or Account(), subjects.CHECKS)


def refusals(found: list[Finding]) -> list[Finding]:
    return [finding for finding in found if finding.result is Verdict.REFUSED]


@pytest.mark.parametrize("stack", list(StackName))
def test_nothing_is_refused_in_an_account_that_has_what_the_stack_needs(
    cloud: LocalCloud, bodies: dict[str, Body], stack: str
) -> None:
    found = findings(stack, bodies[stack])
    assert refusals(found) == []
    assert {"bootstrap", "stack"} <= {finding.check for finding in found if finding.result is Verdict.OK}


# What is planted: into the template, or into the account.


def put(name: str, *path: str | int, value: Any) -> Plant:
    """Change a property of a resource of the template."""

    def plant(body: Body, _: LocalCloud) -> None:
        at = body["Resources"][name]["Properties"]
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = value

    return plant


def add(kind: str, **properties: Any) -> Plant:
    """Add a resource to the template."""

    def plant(body: Body, _: LocalCloud) -> None:
        body["Resources"]["Planted"] = {"Type": kind, "Properties": properties}

    return plant


def zones(value: Any) -> Plant:
    """Move the subnets of the template to another zone."""

    def plant(body: Body, _: LocalCloud) -> None:
        for resource in body["Resources"].values():
            if resource["Type"] == "AWS::EC2::Subnet":
                resource["Properties"]["AvailabilityZone"] = value

    return plant


def no_bootstrap(_: Body, cloud: LocalCloud) -> Undo:
    ssm = cloud.client("ssm")
    ssm.delete_parameter(Name=BOOTSTRAP)
    return lambda: ssm.put_parameter(Name=BOOTSTRAP, Value="30", Type="String")


def old_bootstrap(_: Body, cloud: LocalCloud) -> Undo:
    ssm = cloud.client("ssm")
    ssm.put_parameter(Name=BOOTSTRAP, Value="5", Type="String", Overwrite=True)
    return lambda: ssm.put_parameter(Name=BOOTSTRAP, Value="30", Type="String", Overwrite=True)


def no_assets(_: Body, cloud: LocalCloud) -> Undo:
    s3 = cloud.client("s3")
    s3.delete_bucket(Bucket=ASSETS)
    return lambda: s3.create_bucket(Bucket=ASSETS)


def all_vpcs(_: Body, cloud: LocalCloud) -> Undo:
    ec2 = cloud.client("ec2")
    there = len(ec2.describe_vpcs()["Vpcs"])
    made = [ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"] for _ in range(5 - there)]
    return lambda: [ec2.delete_vpc(VpcId=vpc) for vpc in made]


def all_gateways(_: Body, cloud: LocalCloud) -> Undo:
    ec2 = cloud.client("ec2")
    there = len(ec2.describe_internet_gateways()["InternetGateways"])
    made = [ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"] for _ in range(5 - there)]
    return lambda: [ec2.delete_internet_gateway(InternetGatewayId=gateway) for gateway in made]


def all_addresses(_: Body, cloud: LocalCloud) -> Undo:
    ec2 = cloud.client("ec2")
    made = [ec2.allocate_address(Domain="vpc")["AllocationId"] for _ in range(5)]
    return lambda: [ec2.release_address(AllocationId=address) for address in made]


def no_role(service: str, name: str) -> Plant:
    def plant(_: Body, cloud: LocalCloud) -> Undo:
        iam = cloud.client("iam")
        iam.delete_service_linked_role(RoleName=name)
        return lambda: iam.create_service_linked_role(AWSServiceName=service)

    return plant


def retained_bucket(body: Body, cloud: LocalCloud) -> None:
    cloud.client("s3").create_bucket(Bucket="retained-reports")
    body["Resources"]["DataBucket"]["Properties"]["BucketName"] = "retained-reports"


def retained_table(body: Body, cloud: LocalCloud) -> None:
    cloud.client("dynamodb").create_table(
        TableName="Retained",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    body["Resources"]["Movies"]["Properties"]["TableName"] = "Retained"


def retained_log_group(body: Body, cloud: LocalCloud) -> None:
    cloud.client("logs").create_log_group(logGroupName="/retained/jobs")
    body["Resources"]["JobLogs"]["Properties"]["LogGroupName"] = "/retained/jobs"


def in_review(_: Body, cloud: LocalCloud) -> Undo:
    cloudformation = cloud.client("cloudformation")
    template = '{"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}'
    cloudformation.create_change_set(
        StackName=TERMINATION, ChangeSetName="first", ChangeSetType="CREATE", TemplateBody=template
    )
    return lambda: cloudformation.delete_stack(StackName=TERMINATION)


def disabled_key(body: Body, cloud: LocalCloud) -> None:
    kms = cloud.client("kms")
    key = kms.create_key()["KeyMetadata"]
    kms.disable_key(KeyId=key["KeyId"])
    body["Resources"]["Topic"]["Properties"]["KmsMasterKeyId"] = key["Arn"]


def pending_certificate(body: Body, cloud: LocalCloud) -> None:
    arn = cloud.client("acm").request_certificate(DomainName="shop.example.com", ValidationMethod="DNS")[
        "CertificateArn"
    ]
    add("AWS::ElasticLoadBalancingV2::Listener", Certificates=[{"CertificateArn": arn}])(body, cloud)


def subnet_of_another_vpc(body: Body, cloud: LocalCloud) -> Undo:
    ec2 = cloud.client("ec2")
    subnet = ec2.describe_subnets()["Subnets"][0]
    vpc = ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    add("AWS::EC2::SecurityGroup", VpcId=vpc)(body, cloud)
    body["Resources"]["CpuSpot"]["Properties"]["ComputeResources"]["Subnets"] = [subnet["SubnetId"]]
    return lambda: ec2.delete_vpc(VpcId=vpc)


def subnet_without_route(body: Body, cloud: LocalCloud) -> Undo:
    ec2 = cloud.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.7.0.0/24")["Subnet"]["SubnetId"]
    body["Resources"]["CpuSpot"]["Properties"]["ComputeResources"]["Subnets"] = [subnet]
    return lambda: (ec2.delete_subnet(SubnetId=subnet), ec2.delete_vpc(VpcId=vpc))


def subnet_without_addresses(body: Body, cloud: LocalCloud) -> Undo:
    ec2 = cloud.client("ec2")
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": False})
    body["Resources"]["CpuSpot"]["Properties"]["ComputeResources"]["Subnets"] = [subnet]
    return lambda: ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})


def live_analytics(body: Body, _: LocalCloud) -> None:
    config = Config.from_context({"data_ecosystem.engine": "liveanalytics"})
    body.clear()
    body.update(templates(config)[DATA])


def text_parameter(body: Body, cloud: LocalCloud) -> Undo:
    ssm = cloud.client("ssm")
    ssm.put_parameter(Name="/my/text", Value="ami-0123456789abcdef0", Type="String")
    body["Resources"]["LaunchTemplate"]["Properties"]["LaunchTemplateData"]["ImageId"] = "resolve:ssm:/my/text"
    return lambda: ssm.delete_parameter(Name="/my/text")


ECR = "123456789012.dkr.ecr.us-east-1.amazonaws.com/jobs:1"
INSTANCE = ("LaunchTemplate", "LaunchTemplateData")
KEY = "arn:aws:kms:us-east-1:123456789012:key/12345678-1234-1234-1234-123456789012"
ABSENT = "arn:aws:secretsmanager:us-east-1:123456789012:secret:absent-AbCdEf"
OPENSEARCH = "AWSServiceRoleForAmazonOpenSearchService"

TOPIC = "arn:aws:sns:us-east-1:123456789012:operations"


def alarms_to(topic: str) -> Plant:
    """Let the alarms publish to another topic."""

    def plant(body: Body, _: LocalCloud) -> None:
        for resource in body["Resources"].values():
            if resource["Type"] == "AWS::CloudWatch::Alarm":
                resource["Properties"]["AlarmActions"] = [topic]

    return plant


def silent_topic(body: Body, cloud: LocalCloud) -> Undo:
    """A topic whose policy lets nobody but its owner publish."""
    sns = cloud.client("sns")
    sns.create_topic(Name=TOPIC.rpartition(":")[2])
    alarms_to(TOPIC)(body, cloud)
    return lambda: sns.delete_topic(TopicArn=TOPIC)


no_access_logs = put("DataBucket", "LoggingConfiguration", value={"DestinationBucketName": "nobody-has-this-bucket"})
no_flow_logs = add("AWS::EC2::FlowLog", LogDestination="arn:aws:s3:::nobody-has-this-bucket/shop")


def no_artifacts(body: Body, _: LocalCloud) -> None:
    body.setdefault("Metadata", {})[SETTINGS] = {"training.artifact_bucket": "nobody-has-this-bucket"}


#: What is planted: its name, the stack, what plants it, the check that names it, and what the reason says.
REFUSED: list[tuple[str, str, Plant, str, str]] = [
    ("no topic", TERMINATION, alarms_to(TOPIC), "topics", f"no topic {TOPIC}"),
    ("topic elsewhere", WEB, alarms_to(TOPIC.replace("us-east-1", "eu-west-1")), "topics", "is in eu-west-1"),
    ("no bucket", TRAINING, no_artifacts, "buckets", "no bucket nobody-has-this-bucket"),
    ("no bucket of access logs", TRAINING, no_access_logs, "buckets", "no bucket nobody-has-this-bucket"),
    ("no bucket of flow logs", TRAINING, no_flow_logs, "buckets", "no bucket nobody-has-this-bucket"),
    ("no bootstrap", TRAINING, no_bootstrap, "bootstrap", "not bootstrapped"),
    ("old bootstrap", TRAINING, old_bootstrap, "bootstrap", "has version 5, and the stack needs 6"),
    ("no bucket of the bootstrap", TRAINING, no_assets, "bootstrap", f"bucket {ASSETS} does not exist"),
    ("stack in review", TERMINATION, in_review, "stack", "REVIEW_IN_PROGRESS"),
    ("quota of VPCs", WEB, all_vpcs, "quota of VPCs", "5 of 5 are used"),
    ("quota of gateways", WEB, all_gateways, "quota of internet gateways", "5 of 5 are used"),
    ("quota of addresses", WEB, all_addresses, "quota of Elastic IPs", "5 of 5 are used"),
    ("quota of vCPUs", WEB, put(*INSTANCE, "InstanceType", value="m7i.4xlarge"), "quota of vCPUs", "starts 16 vCPUs"),
    ("unknown type", WEB, put(*INSTANCE, "InstanceType", value="t9.small"), "instance types", "no instance type t9"),
    ("type not in the zone", TRAINING, zones("us-east-1e"), "instance types", "cannot be had in us-east-1e"),
    ("unknown zone", TRAINING, zones("us-east-1z"), "zones", "no zone us-east-1z"),
    ("too many zones", TRAINING, zones({"Fn::Select": [6, {"Fn::GetAZs": ""}]}), "zones", "needs 7 zones"),
    ("no image parameter", WEB, put(*INSTANCE, "ImageId", value="resolve:ssm:/my/image"), "machine image", "/my/image"),
    ("other parameter", WEB, text_parameter, "machine image", "does not have the data type aws:ec2:image"),
    (
        "no image",
        WEB,
        put(*INSTANCE, "ImageId", value="ami-0123456789abcdef0"),
        "machine image",
        "ami-0123456789abcdef0",
    ),
    ("other architecture", WEB, put(*INSTANCE, "InstanceType", value="t4g.small"), "machine image", "is for x86_64"),
    (
        "no container image",
        TRAINING,
        put("DigitClassifierJob", "ContainerProperties", "Image", value=ECR),
        "container image",
        ECR,
    ),
    ("no key pair", WEB, put(*INSTANCE, "KeyName", value="mine"), "key pair", "no key pair mine"),
    ("version", WEB, put("DatabaseInstance", "EngineVersion", value="9.9.9"), "engine version", "mysql 9.9.9"),
    ("family", WEB, put("DatabaseParameters", "Family", value="mysql8.0"), "engine version", "needs one for mysql8.4"),
    ("class", WEB, put("DatabaseInstance", "DBInstanceClass", value="db.t9.micro"), "database class", "db.t9.micro"),
    ("graph class", DATA, put("GraphInstance", "DBInstanceClass", value="db.t2.nano"), "database class", "db.t2.nano"),
    ("search version", DATA, put("SearchDomain", "EngineVersion", value="OpenSearch_9.9"), "OpenSearch", "_9.9"),
    (
        "search type",
        DATA,
        put("SearchDomain", "ClusterConfig", "InstanceType", value="t9.small.search"),
        "OpenSearch",
        "t9.small.search",
    ),
    ("search storage", DATA, put("SearchDomain", "EBSOptions", "VolumeSize", value=500), "OpenSearch", "not 500 GiB"),
    ("no search role", DATA, no_role(ROLES[0], OPENSEARCH), "service-linked roles", f"no role {OPENSEARCH}"),
    (
        "search role twice",
        DATA,
        add("AWS::IAM::ServiceLinkedRole", AWSServiceName=ROLES[0]),
        "service-linked roles",
        "has already",
    ),
    ("LiveAnalytics", DATA, live_analytics, "LiveAnalytics", "closed to new customers"),
    ("no VPC", TRAINING, add("AWS::EC2::SecurityGroup", VpcId="vpc-0123abcd"), "VPC", "no VPC vpc-0123abcd"),
    (
        "no subnet",
        TRAINING,
        put("CpuSpot", "ComputeResources", "Subnets", value=["subnet-0123abcd"]),
        "subnets",
        "no subnet subnet-0123abcd",
    ),
    ("other VPC", TRAINING, subnet_of_another_vpc, "subnets", "belongs to vpc-"),
    (
        "no group",
        TRAINING,
        add("AWS::EC2::Instance", SecurityGroupIds=["sg-0123abcd"]),
        "security groups",
        "sg-0123abcd",
    ),
    ("databases in one zone", WEB, zones("us-east-1a"), "zones of databases", "RDS needs two zones"),
    ("retained bucket", TRAINING, retained_bucket, "names", "retained-reports exists already"),
    ("retained table", DATA, retained_table, "names", "Retained exists already"),
    ("retained log group", TRAINING, retained_log_group, "names", "/retained/jobs exists already"),
    ("no key", WEB, put("Topic", "KmsMasterKeyId", value=KEY), "KMS keys", "no KMS key"),
    ("disabled key", WEB, disabled_key, "KMS keys", "it is Disabled"),
    ("pending certificate", WEB, pending_certificate, "certificate", "PENDING_VALIDATION"),
    ("no secret", DATA, add("AWS::IAM::Policy", Resource=ABSENT), "secrets", "no secret"),
]
SPOT = "AWSServiceRoleForEC2Spot"
WARNED: list[tuple[str, str, Plant, str, str]] = [
    ("silent topic", TERMINATION, silent_topic, "topics", "does not let cloudwatch.amazonaws.com publish"),
    ("no GPUs", TRAINING, lambda *_: None, "quota of vCPUs for jobs", "may have no vCPUs of G and VT spot instances"),
    ("little Fargate", DATA, lambda *_: None, "quota of vCPUs for jobs", "the quota is 6"),
    ("no spot role", TRAINING, no_role(ROLES[1], SPOT), "service-linked roles", f"no role {SPOT}"),
    ("no route", TRAINING, subnet_without_route, "way to AWS", "no route to the internet"),
    ("no addresses", TRAINING, subnet_without_addresses, "way to AWS", "no public address"),
    ("no e-mail", TRAINING, lambda *_: None, "e-mail", "No e-mail address is set"),
]


@pytest.mark.parametrize(
    ("verdict", "stack", "plant", "check", "words"),
    [
        pytest.param(verdict, *case, id=name)
        for verdict, cases in ((Verdict.REFUSED, REFUSED), (Verdict.WARNING, WARNED))
        for name, *case in cases
    ],
)
def test_a_planted_cause_is_named_with_a_way_out(
    cloud: LocalCloud,
    bodies: dict[str, Body],
    verdict: Verdict,
    stack: str,
    plant: Plant,
    check: str,
    words: str,
) -> None:
    body = copy.deepcopy(bodies[stack])
    undo = plant(body, cloud)
    try:
        found = findings(stack, body)
    finally:
        if undo:
            undo()
    named = [finding for finding in found if finding.check == check and finding.result is verdict]
    assert any(words in finding.reason for finding in named), [finding.reason for finding in found]
    assert all(finding.way_out for finding in named)


def test_stacks_count_together_against_a_quota(cloud: LocalCloud, bodies: dict[str, Body]) -> None:
    stacks: list[Template] = []
    for name, body in bodies.items():
        stacks.append(Template(name, body, before=tuple(stacks)))
    (refusal,) = [
        finding for finding in refusals(run(stacks, Account(), subjects.CHECKS)) if finding.check == "quota of VPCs"
    ]
    assert refusal.stack == list(bodies)[-1]
    assert "the stacks before it add 4" in refusal.reason
    assert "--quota-code L-F678F1CE --desired-value 6" in refusal.way_out


def test_what_is_deployed_does_not_count_twice(cloud: LocalCloud, bodies: dict[str, Body]) -> None:
    """A stack that already has its VPC may be updated in an account that has no room for another one."""
    cloudformation = cloud.client("cloudformation")
    template = '{"Resources": {"NetworkVpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.6.0.0/16"}}}}'
    cloudformation.create_stack(StackName=StackName.DEVOPS_METRICS, TemplateBody=template)
    undo = all_vpcs({}, cloud)
    try:
        found = findings(StackName.DEVOPS_METRICS, bodies[StackName.DEVOPS_METRICS])
    finally:
        undo()
        cloudformation.delete_stack(StackName=StackName.DEVOPS_METRICS)
    (quota,) = [finding for finding in found if finding.check == "quota of VPCs"]
    assert (quota.result, quota.reason) == (Verdict.OK, "0 more VPCs; 5 of 5 are used.")


def test_a_missing_permission_is_a_warning_that_names_it(cloud: LocalCloud, bodies: dict[str, Body]) -> None:
    def deny(**_: Any) -> None:
        raise ClientError(
            {"Error": {"Code": "UnauthorizedOperation", "Message": "You are not authorized."}}, "DescribeVpcs"
        )

    session = boto3.Session()
    session.events.register("before-call.ec2.DescribeVpcs", deny)
    found = findings(TRAINING, bodies[TRAINING], Account(session))
    (quota,) = [finding for finding in found if finding.check == "quota of VPCs"]
    assert quota.result is Verdict.WARNING
    assert "the credentials do not have ec2:DescribeVpcs" in quota.reason
    assert refusals(found) == []


def test_every_permission_is_to_read_only() -> None:
    actions = [action.partition(":")[2] for action in permissions(subjects.CHECKS)]
    assert len(actions) > len(REFUSED) / 2
    assert [action for action in actions if not action.startswith(("Describe", "Get", "List"))] == []


def preflight(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "groundwork", "preflight", *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_prints_one_document_and_says_whether_a_deployment_would_fail(cloud: LocalCloud) -> None:
    good = preflight(TERMINATION, "--json")
    assert good.returncode == 0, good.stderr
    content = document(good.stdout, "preflight")
    assert content["account"] == "123456789012"
    assert {row["stack"] for row in content["checks"]} == {TERMINATION}
    bad = preflight(WEB, "--json", "-c", "web_app.instance_type=t9.small")
    assert bad.returncode == 2
    assert "WebApp: A deployment would fail" in bad.stderr
    rows = document(bad.stdout, "preflight")["checks"]
    assert [row["check"] for row in rows if row["result"] == "refused"] == ["instance types"]


def test_the_command_prints_the_permissions_without_an_account() -> None:
    done = preflight("--permissions", AWS_ENDPOINT_URL="http://localhost:9")
    assert (done.returncode, done.stdout.splitlines()) == (0, permissions(subjects.CHECKS))


def test_an_outage_has_an_exit_code_of_its_own(cloud: LocalCloud) -> None:
    done = preflight(TERMINATION, AWS_ENDPOINT_URL="http://localhost:9", AWS_MAX_ATTEMPTS="1")
    assert done.returncode == 75, done.stderr
    assert "Run the same command again later." in done.stderr


def test_an_unknown_stack_is_refused_by_name(cloud: LocalCloud) -> None:
    done = preflight("Trainign")
    assert (done.returncode, done.stdout) == (2, "")
    assert "There is no stack Trainign. There are TerminationAlarm, Training" in done.stderr
