"""A local cloud that has something to show in every view of its console."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import urllib3
from botocore.exceptions import ClientError
from opensearchpy import OpenSearch, Urllib3AWSV4SignerAuth

from localcloud import LocalCloud
from localcloud.cloud.account import ACCESS_KEY_ID, REGION, secret_access_key
from localcloud.cloud.certificates import TRUSTED

TEMPLATE = Path(__file__).with_name("inhabited.yaml")
BROKEN = """
Resources:
  Rule:
    Type: AWS::Events::Rule
    Properties: {Name: broken, EventPattern: {source: [{nonsense: 1}]}}
"""
SECONDS = 60


def inhabit(cloud: LocalCloud) -> dict[str, str]:
    """Deploy a small shop, let things happen in it, and return the ids of its jobs by their names."""
    formation = cloud.client("cloudformation")
    formation.create_stack(StackName="Shop", TemplateBody=TEMPLATE.read_text(), Capabilities=["CAPABILITY_NAMED_IAM"])
    formation.get_waiter("stack_create_complete").wait(StackName="Shop", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    formation.create_stack(StackName="Broken", TemplateBody=BROKEN)
    jobs = submit_jobs(cloud)
    send_metrics(cloud)
    cloud.client("dynamodb").put_item(
        TableName="shop-articles", Item={"article": {"S": "lamp"}, "price": {"N": "12.5"}, "colours": {"SS": ["red"]}}
    )
    s3 = cloud.client("s3")
    s3.put_object(Bucket="shop-pictures", Key="2026/notes.txt", Body=b"taken in the <b>morning</b>")
    s3.put_object(Bucket="shop-pictures", Key="2026/lamp.bin", Body=b"\0\1\2")
    sqs = cloud.client("sqs")
    for name, body in (("shop-orders", {"order": 1}), ("shop-dead-letters", {"order": 0})):
        sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"], MessageBody=json.dumps(body))
    for event in ({"articles": ["lamp"]}, {"articles": []}, {}):
        cloud.client("lambda").invoke(FunctionName="shop-checkout", Payload=json.dumps(event))
    be_denied(cloud)
    cloud.client("rds").create_db_instance(
        DBInstanceIdentifier="shop-ledger",
        Engine="postgres",
        EngineVersion="18.1",
        DBInstanceClass="db.t4g.micro",
        DBName="ledger",
        AllocatedStorage=20,
        MasterUsername="clerk",
        MasterUserPassword="not-shown-at-all",
    )
    fill_graph_and_index(cloud)
    fill_time_series(cloud)
    until(lambda: any(cloud.mailbox.glob("*.eml")))
    until(lambda: {job["status"] for job in _described(cloud, jobs)} <= {"SUCCEEDED", "FAILED", "RUNNABLE"})
    until(lambda: formation.describe_stacks(StackName="Broken")["Stacks"][0]["StackStatus"] == "ROLLBACK_COMPLETE")
    return jobs


def send_metrics(cloud: LocalCloud) -> None:
    """Send an hour of latencies and requests, and errors that let the alarm ring."""
    now, cloudwatch = datetime.now(UTC), cloud.client("cloudwatch")
    dimensions = [{"Name": "Site", "Value": "shop"}]
    data: list[dict[str, Any]] = []
    for minute in range(58):
        at = now - timedelta(minutes=minute + 1)
        for request in range(4):
            latency = 120 + 60 * request + 40 * ((minute * 7) % 5)
            data.append({"MetricName": "Latency", "Value": latency, "Unit": "Milliseconds", "Timestamp": at})
        data.append({"MetricName": "Requests", "Value": 20 + minute % 9, "Unit": "Count", "Timestamp": at})
    data.append({"MetricName": "Errors", "Value": 9, "Unit": "Count", "Timestamp": now})
    for begin in range(0, len(data), 100):
        rows = [row | {"Dimensions": dimensions} for row in data[begin : begin + 100]]
        cloudwatch.put_metric_data(Namespace="Shop", MetricData=rows)


def fill_graph_and_index(cloud: LocalCloud) -> None:
    """Make a graph database and a search domain, each with something to find."""
    trusted = str(cloud.folder / TRUSTED)
    cluster = cloud.client("neptune").create_db_cluster(DBClusterIdentifier="shop-graph", Engine="neptune")["DBCluster"]
    session = boto3.Session(
        aws_access_key_id=ACCESS_KEY_ID, aws_secret_access_key=secret_access_key(cloud.folder), region_name=REGION
    )
    address = f"https://{cluster['Endpoint']}:{cluster['Port']}"
    graph = session.client("neptunedata", endpoint_url=address, verify=trusted)
    graph.execute_open_cypher_query(
        openCypherQuery="CREATE (:Customer {name: 'Ada'})-[:BOUGHT]->(:Article {name: 'lamp'})"
    )
    domain = cloud.client("opensearch").create_domain(DomainName="shop-search")["DomainStatus"]
    index = OpenSearch(
        f"https://{domain['Endpoint']}",
        timeout=120,  # of a machine that others keep busy
        http_auth=Urllib3AWSV4SignerAuth(session.get_credentials(), REGION, "es"),
        ca_certs=trusted,
    )
    index.index(index="articles", id="lamp", body={"name": "lamp", "light": [0.5, 0.25]}, params={"refresh": "true"})


def fill_time_series(cloud: LocalCloud) -> None:
    """Make a database of InfluxDB and one of Timestream for LiveAnalytics, each with a point or a record."""
    ec2 = cloud.client("ec2")
    subnet = ec2.describe_subnets()["Subnets"][0]
    group = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [subnet["VpcId"]]}])["SecurityGroups"][0]
    login = {"username": "clerk", "password": "notshownatall"}
    instance = cloud.client("timestream-influxdb").create_db_instance(
        name="shop-clicks",
        **login,
        organization="shop",
        bucket="clicks",
        vpcSubnetIds=[subnet["SubnetId"]],
        vpcSecurityGroupIds=[group["GroupId"]],
        allocatedStorage=20,
        dbInstanceType="db.influx.medium",
    )
    address, basic = f"http://{instance['endpoint']}/api/v2", urllib3.make_headers(basic_auth=":".join(login.values()))
    session = urllib3.request("POST", f"{address}/signin", headers=basic)
    cookie = {"Cookie": session.headers["Set-Cookie"].partition(";")[0]}
    points = b"clicks,page=lamp count=7i"
    assert urllib3.request("POST", f"{address}/write?org=shop&bucket=clicks", headers=cookie, body=points).status == 204
    write = cloud.client("timestream-write")
    write.create_database(DatabaseName="shop-visits")
    write.create_table(DatabaseName="shop-visits", TableName="visits")
    record = {"MeasureName": "seconds", "MeasureValue": "12", "MeasureValueType": "BIGINT"}
    record |= {"Time": str(time.time_ns() // 10**6), "Dimensions": [{"Name": "page", "Value": "lamp"}]}
    write.write_records(DatabaseName="shop-visits", TableName="visits", Records=[record])


def submit_jobs(cloud: LocalCloud) -> dict[str, str]:
    """Submit a job that succeeds, one that fails, and one that no instance can run."""
    ec2, batch = cloud.client("ec2"), cloud.client("batch")
    subnet = ec2.describe_subnets()["Subnets"][0]
    group = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [subnet["VpcId"]]}])["SecurityGroups"][0]
    iam = cloud.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    iam.create_role(
        RoleName="host", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )
    iam.create_instance_profile(InstanceProfileName="host")
    iam.add_role_to_instance_profile(InstanceProfileName="host", RoleName="host")
    environment = batch.create_compute_environment(
        computeEnvironmentName="shop-cpu",
        type="MANAGED",
        serviceRole=iam.get_role(RoleName="host")["Role"]["Arn"],
        computeResources={
            "type": "EC2",
            "minvCpus": 0,
            "maxvCpus": 4,
            "instanceTypes": ["c6i.xlarge"],
            "subnets": [subnet["SubnetId"]],
            "securityGroupIds": [group["GroupId"]],
            "instanceRole": iam.get_instance_profile(InstanceProfileName="host")["InstanceProfile"]["Arn"],
        },
    )["computeEnvironmentArn"]
    order = [{"order": 1, "computeEnvironment": environment}]
    batch.create_job_queue(jobQueueName="shop-jobs", state="ENABLED", priority=1, computeEnvironmentOrder=order)
    cloud.client("logs").create_log_group(logGroupName="shop-job-logs")
    jobs = {}
    for name, command, cpus in (("count", "echo counted", "1"), ("crash", "exit 3", "1"), ("huge", "true", "64")):
        needs = [{"type": "VCPU", "value": cpus}, {"type": "MEMORY", "value": "512"}]
        container: dict[str, Any] = {"image": "busybox", "command": ["sh", "-c", command]}
        log = {"logDriver": "awslogs", "options": {"awslogs-group": "shop-job-logs"}}
        container |= {"resourceRequirements": needs, "logConfiguration": log}
        definition = batch.register_job_definition(
            jobDefinitionName=name, type="container", containerProperties=container
        )["jobDefinitionArn"]
        jobs[name] = batch.submit_job(jobName=name, jobQueue="shop-jobs", jobDefinition=definition)["jobId"]
    return jobs


def be_denied(cloud: LocalCloud) -> None:
    """Let a role try what its policies do not allow."""
    credentials = {name.lower(): value for name, value in cloud.role_credentials("shop-role").items()}
    session = boto3.Session(**credentials, region_name="us-east-1")
    try:
        session.client("s3", endpoint_url=cloud.endpoint).get_object(Bucket="shop-pictures", Key="2026/notes.txt")
    except ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDenied"  # noqa: PT017 - any other error is raised below
        return
    raise AssertionError("the role may read")


def until(ask: Any) -> None:
    """Wait for what happens in the background."""
    deadline = time.monotonic() + SECONDS
    while not ask():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def _described(cloud: LocalCloud, jobs: dict[str, str]) -> list[Any]:
    return list(cloud.client("batch").describe_jobs(jobs=list(jobs.values()))["jobs"])
