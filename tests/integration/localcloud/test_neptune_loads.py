"""Neptune's bulk loader as boto3 knows it: files in a bucket, the cluster's role, errors, the queue."""

from __future__ import annotations

import bz2
import gzip
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from localcloud import LocalCloud
from tests.integration.localcloud.test_permissions import ACCOUNT, Json, allow, role, session

ACTIVE = ("LOAD_IN_QUEUE", "LOAD_NOT_STARTED", "LOAD_IN_PROGRESS")
TRUST = {"Service": "rds.amazonaws.com"}
TEMPLATE = """
Resources:
  Network: {Type: 'AWS::EC2::VPC', Properties: {CidrBlock: 10.0.0.0/16}}
  One:
    Type: AWS::EC2::Subnet
    Properties: {VpcId: !Ref Network, CidrBlock: 10.0.0.0/24, AvailabilityZone: us-east-1a}
  Two:
    Type: AWS::EC2::Subnet
    Properties: {VpcId: !Ref Network, CidrBlock: 10.0.1.0/24, AvailabilityZone: us-east-1b}
  Table: {Type: 'AWS::EC2::RouteTable', Properties: {VpcId: !Ref Network}}
  OfOne: {Type: 'AWS::EC2::SubnetRouteTableAssociation', Properties: {SubnetId: !Ref One, RouteTableId: !Ref Table}}
  OfTwo: {Type: 'AWS::EC2::SubnetRouteTableAssociation', Properties: {SubnetId: !Ref Two, RouteTableId: !Ref Table}}
  Endpoint:
    Type: AWS::EC2::VPCEndpoint
    Properties:
      VpcId: !Ref Network
      ServiceName: com.amazonaws.us-east-1.s3
      VpcEndpointType: Gateway
      RouteTableIds: [!Ref Table]
  Group:
    Type: AWS::EC2::SecurityGroup
    Properties: {GroupDescription: Graph, VpcId: !Ref Network}
  Subnets:
    Type: AWS::Neptune::DBSubnetGroup
    Properties: {DBSubnetGroupDescription: Graph, SubnetIds: [!Ref One, !Ref Two]}
  Bucket: {Type: 'AWS::S3::Bucket'}
  Loader:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: [{Effect: Allow, Principal: {Service: rds.amazonaws.com}, Action: 'sts:AssumeRole'}]
      Policies:
        - PolicyName: read
          PolicyDocument:
            Statement:
              - {Effect: Allow, Action: 's3:ListBucket', Resource: !GetAtt Bucket.Arn}
              - {Effect: Allow, Action: 's3:GetObject', Resource: !Sub '${Bucket.Arn}/*'}
  Second:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: [{Effect: Allow, Principal: {Service: rds.amazonaws.com}, Action: 'sts:AssumeRole'}]
  Graph:
    Type: AWS::Neptune::DBCluster
    Properties:
      DBSubnetGroupName: !Ref Subnets
      VpcSecurityGroupIds: [!Ref Group]
      AssociatedRoles: [%s]
Outputs:
  Endpoint: {Value: !Sub 'https://${Graph.Endpoint}:${Graph.Port}'}
  Cluster: {Value: !Ref Graph}
  Bucket: {Value: !Ref Bucket}
  Role: {Value: !GetAtt Loader.Arn}
  Group: {Value: !Ref Group}
  Endpoints: {Value: !Ref Endpoint}
"""
FIRST, SECOND = ("{RoleArn: !GetAtt %s.Arn}" % name for name in ("Loader", "Second"))  # noqa: UP031 - YAML's braces


class Cluster:
    """A deployed cluster with a bucket and a role."""

    def __init__(self, cloud: LocalCloud, stack: str, endpoint: str = "") -> None:
        self.cloud, self.outputs, held = cloud, cloud.outputs(stack), cloud.environment()
        self.data = boto3.client(
            "neptunedata",
            endpoint_url=endpoint or self.outputs["Endpoint"],
            verify=str(cloud.certificate_authority),
            region_name="us-east-1",
            aws_access_key_id=held["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=held["AWS_SECRET_ACCESS_KEY"],
            config=Config(retries={"total_max_attempts": 1}),
        )
        self.prefix = ""

    def put(self, name: str, content: str | bytes) -> None:
        body = content.encode() if isinstance(content, str) else content
        self.cloud.client("s3").put_object(Bucket=self.outputs["Bucket"], Key=f"{self.prefix}{name}", Body=body)

    def start(self, form: str = "csv", **options: Any) -> str:
        values = {
            "source": f"s3://{self.outputs['Bucket']}/{self.prefix}",
            "format": form,
            "iamRoleArn": self.outputs["Role"],
            "s3BucketRegion": "us-east-1",
            **options,
        }
        return str(self.data.start_loader_job(**values)["payload"]["loadId"])

    def status(self, identity: str) -> Json:
        answer = self.data.get_loader_job_status(loadId=identity, details=True, errors=True)
        assert answer["status"] == "200 OK"
        payload: Json = answer["payload"]
        return payload

    def query(self, text: str) -> list[Json]:
        rows: list[Json] = self.data.execute_open_cypher_query(openCypherQuery=text)["results"]
        return rows


@pytest.fixture(scope="module")
def deployed(enforcing: LocalCloud) -> Cluster:
    enforcing.client("cloudformation").create_stack(
        StackName="Graph", TemplateBody=TEMPLATE % FIRST, Capabilities=["CAPABILITY_IAM"]
    )
    return Cluster(enforcing, "Graph")


@pytest.fixture
def cluster(deployed: Cluster) -> Iterator[Cluster]:
    """The cluster without data, and a prefix of the test's own."""
    deployed.prefix = f"{uuid4().hex[:8]}/"
    yield deployed
    deployed.query("MATCH (n) DETACH DELETE n")


@pytest.fixture
def ended(eventually: Callable[[Callable[[], Any]], Any]) -> Callable[[Cluster, str], Json]:
    """Wait until a load has ended, and return its status."""

    def wait(cluster: Cluster, identity: str) -> Json:
        def status() -> Json | None:
            payload = cluster.status(identity)
            return payload if payload["overallStatus"]["status"] not in ACTIVE else None

        payload: Json = eventually(status)
        return payload

    return wait


Ended = Callable[[Cluster, str], Json]


def refused(start: Callable[[], Any]) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        start()
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_files_of_vertices_and_edges_become_a_graph(cluster: Cluster, ended: Ended) -> None:
    cluster.put("a-edges.csv", "~id,~from,~to,~label,weight:Double,since:Date\ne1,v1,v2,created,0.4,2024-05-01\n")
    cluster.put("b-people.csv", '~id,name:String,age:Int,~label\nv1,"Zoë, ""Z""",29,person\n')
    cluster.put(
        "c-more.csv.gz",
        gzip.compress(b"~id,~label,lang,tags:String[],big:Long,ok:Bool\nv2,x;y,java,a;b,8589934592,true\n"),
    )
    cluster.put("d-more.csv.bz2", bz2.compress(b"~id,~label\nv3,person\n"))
    payload = ended(cluster, cluster.start())
    total = payload["overallStatus"]
    assert payload["feedCount"] == [{"LOAD_COMPLETED": 4}]
    assert payload["failedFeeds"] == []
    assert (total["status"], total["runNumber"], total["totalRecords"]) == ("LOAD_COMPLETED", 1, 14)
    assert cluster.query("MATCH (n:person) WHERE id(n) = 'v1' RETURN n") == [
        {
            "n": {
                "~id": "v1",
                "~entityType": "node",
                "~labels": ["person"],
                "~properties": {"name": 'Zoë, "Z"', "age": 29},
            }
        }
    ]
    assert cluster.query("MATCH (a)-[r:created]->(b:y) RETURN r, b.tags AS tags, b.big + 1 AS big, b.ok AS ok") == [
        {
            "r": {
                "~id": "e1",
                "~entityType": "relationship",
                "~type": "created",
                "~start": "v1",
                "~end": "v2",
                "~properties": {"weight": 0.4, "since": "2024-05-01T00:00Z"},
            },
            "tags": ["a", "b"],
            "big": 8589934593,
            "ok": True,
        }
    ]


def test_the_format_of_opencypher_has_spaces_of_ids(cluster: Cluster, ended: Ended) -> None:
    cluster.put("people", 'name:ID(person),age:Int,:LABEL\n"marko",29,person\n')
    cluster.put("software", 'name:ID(software),:LABEL\n"marko",software\n')
    cluster.put("rels", ":ID,:START_ID(person),:END_ID(software),:TYPE,weight:Double\ne1,marko,marko,created,0.4\n")
    payload = ended(cluster, cluster.start("opencypher", userProvidedEdgeIds=True))
    assert payload["overallStatus"]["status"] == "LOAD_COMPLETED"
    found = "MATCH (a:person)-[r:created]->(b:software) RETURN a.name AS a, b.name AS b, r.weight AS w"
    assert cluster.query(found) == [{"a": "marko", "b": "marko", "w": 0.4}]


def test_the_format_of_opencypher_keeps_what_is_there(cluster: Cluster, ended: Ended) -> None:
    cluster.put("nodes", ":ID,:LABEL,name,age:Int\na,P,Ada,1\nb,P,Bob,\na,Q,Eve,\n")
    cluster.put("rels", ":ID,:START_ID,:END_ID,:TYPE\ne,a,b,KNOWS\ne,b,a,KNOWS\n")
    total = ended(cluster, cluster.start("opencypher"))["overallStatus"]
    assert (total["status"], total["totalDuplicates"]) == ("LOAD_COMPLETED", 2)
    query = "MATCH (a:P:Q)-[:KNOWS]->(b) RETURN a.name AS name, a.age AS age, b.name AS other"
    assert cluster.query(query) == [{"name": "Ada", "age": 1, "other": "Bob"}]


def test_labels_and_values_are_added_to_what_is_there(cluster: Cluster, ended: Ended) -> None:
    cluster.query("CREATE (:P {`~id`: 'a', name: 'Ada'})")
    cluster.query("MATCH (n:P {name: 'Ada'}) RETURN n")  # from here on the engine has an index of names
    cluster.put("1", "~id,~label,name\na,P;Q,Lovelace\na,P,Ada\n")
    cluster.put("2", "~id,~from,~to,~label,weight:Int\ne,a,a,KNOWS,1\ne,a,a,KNOWS,1\ne,a,a,LIKES,\n")
    payload = ended(cluster, cluster.start(failOnError=False))
    assert payload["overallStatus"]["totalDuplicates"] == 5
    assert payload["errors"]["errorLogs"][0]["errorCode"] == "ID_ASSIGNED_TO_MULTIPLE_EDGES"
    query = "MATCH (n:Q)-[r]->(n) RETURN labels(n) AS labels, n.name AS names, type(r) AS type, r.weight AS weight"
    assert cluster.query(query) == [{"labels": ["P", "Q"], "names": ["Ada", "Lovelace"], "type": "KNOWS", "weight": 1}]


def test_an_edge_may_lead_to_a_node_that_a_query_has_created(cluster: Cluster, ended: Ended) -> None:
    [row] = cluster.query("CREATE (n:Made) RETURN id(n) AS id")
    cluster.put("1", f"~id,~from,~to,~label\ne,{row['id']},{row['id']},KNOWS\n")
    assert ended(cluster, cluster.start())["overallStatus"]["status"] == "LOAD_COMPLETED"
    assert cluster.query("MATCH (n:Made)-[r:KNOWS]->(n) RETURN id(r) AS id") == [{"id": "e"}]


def test_rows_with_errors_are_skipped_and_listed(cluster: Cluster, ended: Ended) -> None:
    cluster.put("1", "~id,~label,age:Int(single)\na,P,1\nb,P,old\nc,P\n,P,2\na,P,1\na,P,2\n")
    cluster.put("2", "~id,~from,~to,~label\ne1,a,nobody,KNOWS\ne2,a,a,KNOWS\n")
    payload = ended(cluster, cluster.start(failOnError=False))
    total = payload["overallStatus"]
    assert total["status"] == "LOAD_FAILED"
    counted = ("totalDuplicates", "parsingErrors", "datatypeMismatchErrors", "insertErrors")
    assert [total[name] for name in counted] == [3, 2, 1, 2]
    source = f"s3://{cluster.outputs['Bucket']}/{cluster.prefix}"
    logs = sorted(payload["errors"]["errorLogs"], key=lambda log: (log["fileName"], log["errorCode"]))
    assert [(log["errorCode"], log["fileName"], log["recordNum"]) for log in logs] == [
        ("PARSING_ERROR", f"{source}1", 2),
        ("PARSING_ERROR", f"{source}1", 3),
        ("PARSING_ERROR", f"{source}1", 4),
        ("SINGLE_CARDINALITY_VIOLATION", f"{source}1", 0),
        ("FROM_OR_TO_VERTEX_ARE_MISSING", f"{source}2", 0),
    ]
    assert logs[-1]["errorMessage"] == "Either from vertex, 'a', or to vertex, 'nobody', is not present."
    assert cluster.query("MATCH (n)-[r]->() RETURN n.age AS age, count(r) AS number") == [{"age": 1, "number": 1}]


def test_errors_come_in_pages(cluster: Cluster, ended: Ended) -> None:
    cluster.put("1", "~id,age:Int\n" + "".join(f"{number},x\n" for number in range(25)))
    identity = cluster.start(failOnError=False)
    ended(cluster, identity)
    page = cluster.data.get_loader_job_status(loadId=identity, errors=True, page=2, errorsPerPage=20)["payload"]
    errors = page["errors"]
    assert (errors["startIndex"], errors["endIndex"], len(errors["errorLogs"])) == (21, 25, 5)
    assert "failedFeeds" not in page


def test_the_first_error_ends_a_load_that_shall_fail(cluster: Cluster, ended: Ended) -> None:
    cluster.put("1", "~id,age:Int\na,1\nb,x\nc,3\n")
    cluster.put("2", "~id\nd\n")
    payload = ended(cluster, cluster.start())
    assert payload["overallStatus"]["status"] == "LOAD_CANCELLED_DUE_TO_ERRORS"
    assert payload["feedCount"] == [{"LOAD_FAILED": 1}, {"LOAD_NOT_STARTED": 1}]
    assert cluster.query("MATCH (n) RETURN id(n) AS id") == [{"id": "a"}]


def test_another_value_replaces_a_single_one_only_if_the_request_says_so(cluster: Cluster, ended: Ended) -> None:
    def load(age: int, **options: Any) -> str:
        cluster.put("1", f"~id,~label,age:Int(single)\na,P,{age}\n")
        return str(ended(cluster, cluster.start(mode="NEW", **options))["overallStatus"]["status"])

    assert load(1) == "LOAD_COMPLETED"
    assert load(2) == "LOAD_FAILED"
    assert cluster.query("MATCH (n:P) RETURN n.age AS age") == [{"age": 1}]
    assert load(3, updateSingleCardinalityProperties=True) == "LOAD_COMPLETED"
    assert cluster.query("MATCH (n:P) RETURN n.age AS age") == [{"age": 3}]


def test_a_resumed_load_reads_only_files_that_failed(cluster: Cluster, ended: Ended) -> None:
    assert refused(lambda: cluster.start(mode="RESUME"))[0] == "BadRequestException"
    cluster.put("1", "~id,~label\na,P\n")
    cluster.put("2", "~id,age:Int\nb,x\n")
    ended(cluster, cluster.start(failOnError=False))
    cluster.query("MATCH (n) DETACH DELETE n")
    cluster.put("2", "~id,age:Int\nb,1\n")
    payload = ended(cluster, cluster.start(mode="RESUME"))
    assert (payload["overallStatus"]["status"], payload["overallStatus"]["runNumber"]) == ("LOAD_COMPLETED", 2)
    assert cluster.query("MATCH (n) RETURN id(n) AS id") == [{"id": "b"}]


def test_loads_wait_in_a_queue_for_those_they_depend_on(cluster: Cluster, ended: Ended) -> None:
    cluster.put("good/1", "~id,~label\n" + "".join(f"{number},P\n" for number in range(30_000)))
    cluster.put("bad/1", "~label\nP\n")
    source = f"s3://{cluster.outputs['Bucket']}/{cluster.prefix}"
    good = cluster.start(source=f"{source}good/", queueRequest=True)
    bad = cluster.start(source=f"{source}bad/", queueRequest=True, dependencies=[good])
    missing = cluster.start(source=f"{source}missing/", queueRequest=True)
    after_bad = cluster.start(source=f"{source}good/", mode="NEW", queueRequest=True, dependencies=[good, bad])
    assert refused(cluster.start)[1].endswith("Max concurrent load limit breached. Limit is 1")
    statuses = [ended(cluster, one)["overallStatus"]["status"] for one in (good, bad, missing, after_bad)]
    assert statuses == [
        "LOAD_COMPLETED",
        "LOAD_FAILED",
        "LOAD_FAILED_INVALID_REQUEST",
        "LOAD_FAILED_BECAUSE_DEPENDENCY_NOT_SATISFIED",
    ]
    assert cluster.data.list_loader_jobs(limit=3)["payload"]["loadIds"] == [after_bad, missing, bad]
    unknown = str(uuid4())
    assert refused(lambda: cluster.start(dependencies=[unknown]))[0] == "BulkLoadIdNotFoundException"


def test_a_cancelled_load_ends(cluster: Cluster, ended: Ended) -> None:
    cluster.put("1", "~id,~label\n" + "".join(f"{number},P\n" for number in range(100_000)))
    running, waiting = cluster.start(queueRequest=True), cluster.start(queueRequest=True, mode="NEW")
    for one in (waiting, running):
        assert cluster.data.cancel_loader_job(loadId=one)["status"] == "200 OK"
        assert ended(cluster, one)["overallStatus"]["status"] == "LOAD_CANCELLED_BY_USER"
        code, message = refused(lambda one=one: cluster.data.cancel_loader_job(loadId=one))  # type: ignore[misc]
        assert (code, message) == (
            "BulkLoadIdNotFoundException",
            f"The load with id = {one} does not exist or not active",
        )
    assert cluster.query("MATCH (n) RETURN count(n) < 100000 AS fewer") == [{"fewer": True}]


def test_queries_take_their_turn_during_a_load(cluster: Cluster, ended: Ended) -> None:
    cluster.put("1", "~id,~label\n" + "".join(f"{number},P\n" for number in range(60_000)))
    identity = cluster.start()
    counts = set[int]()
    while cluster.status(identity)["overallStatus"]["status"] in ACTIVE:
        counts |= {row["number"] for row in cluster.query("MATCH (n:P) RETURN count(n) AS number")}
    assert ended(cluster, identity)["overallStatus"]["status"] == "LOAD_COMPLETED"
    assert counts & {10_000, 20_000, 30_000, 40_000, 50_000}


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ({"format": "turtle"}, "UnsupportedOperationException", "no SPARQL"),
        (
            {"format": "opencypher", "updateSingleCardinalityProperties": True},
            "InvalidParameterException",
            "opencypher",
        ),
        ({"source": "s3://no-such-bucket-here/x"}, "BadRequestException", "S3 bucket not found for source"),
        ({"s3BucketRegion": "eu-west-1"}, "InternalFailureException", "Unable to connect to S3 endpoint"),
        ({"source": "ftp://x/y"}, "InvalidParameterException", "not an address"),
    ],
)
def test_requests_that_cannot_be_loaded_are_refused(cluster: Cluster, options: Json, code: str, words: str) -> None:
    form = options.pop("format", "csv")
    answer = refused(lambda: cluster.start(form, **options))
    assert answer[0] == code
    assert words in answer[1]


def test_a_source_without_files_does_not_exist(cluster: Cluster) -> None:
    code, message = refused(cluster.start)
    source = f"s3://{cluster.outputs['Bucket']}/{cluster.prefix}"
    assert (code, message) == ("BadRequestException", f"The source {source} does not exist/not reachable")


def test_a_role_must_belong_to_the_cluster_and_trust_it(cluster: Cluster, enforcing: LocalCloud) -> None:
    neptune, name = enforcing.client("neptune"), cluster.outputs["Cluster"]
    cluster.put("1", "~id\na\n")
    words = "Couldn't find the AWS credential for iam_role_arn"
    other = f"arn:aws:iam::{ACCOUNT}:role/{role(enforcing)}"  # trusts Lambda
    code, message = refused(lambda: cluster.start(iamRoleArn=other))
    assert code == "BadRequestException"
    assert message.startswith(f"{words}: {other} is not a role of the cluster")
    neptune.add_role_to_db_cluster(DBClusterIdentifier=name, RoleArn=other)
    assert refused(lambda: neptune.add_role_to_db_cluster(DBClusterIdentifier=name, RoleArn=other))[0] == (
        "DBClusterRoleAlreadyExists"
    )
    assert "sts:AssumeRole" in refused(lambda: cluster.start(iamRoleArn=other))[1]
    neptune.remove_role_from_db_cluster(DBClusterIdentifier=name, RoleArn=other)
    assert refused(lambda: neptune.remove_role_from_db_cluster(DBClusterIdentifier=name, RoleArn=other))[0] == (
        "DBClusterRoleNotFound"
    )


def test_a_role_needs_to_list_and_to_read(cluster: Cluster, ended: Ended, enforcing: LocalCloud) -> None:
    neptune, name = enforcing.client("neptune"), cluster.outputs["Cluster"]
    cluster.put("1", "~id\na\n")
    listing = allow("s3:ListBucket", on=f"arn:aws:s3:::{cluster.outputs['Bucket']}")
    nothing, lister = (
        f"arn:aws:iam::{ACCOUNT}:role/{role(enforcing, *statements, trusts=TRUST)}" for statements in ([], [listing])
    )
    for arn in (nothing, lister):
        neptune.add_role_to_db_cluster(DBClusterIdentifier=name, RoleArn=arn)
    code, message = refused(lambda: cluster.start(iamRoleArn=nothing))
    assert code == "LoadUrlAccessDeniedException"
    assert message.startswith("Unable to perform S3 list operation")
    payload = ended(cluster, cluster.start(iamRoleArn=lister))
    assert payload["feedCount"] == [{"LOAD_S3_ACCESS_DENIED_ERROR": 1}]
    assert payload["overallStatus"]["status"] == "LOAD_FAILED"
    assert payload["errors"]["errorLogs"][0]["errorCode"] == "S3_ACCESS_DENIED_ERROR"
    for arn in (nothing, lister):
        neptune.remove_role_from_db_cluster(DBClusterIdentifier=name, RoleArn=arn)


def test_a_cluster_must_reach_s3(cluster: Cluster, enforcing: LocalCloud) -> None:
    ec2, group = enforcing.client("ec2"), cluster.outputs["Group"]
    cluster.put("1", "~id\na\n")
    everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    ec2.revoke_security_group_egress(GroupId=group, IpPermissions=everything)
    code, message = refused(cluster.start)
    assert code == "InternalFailureException"
    assert f"({group}) allows HTTPS out to S3" in message
    https = [{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    ec2.authorize_security_group_egress(GroupId=group, IpPermissions=https)
    endpoint = cluster.outputs["Endpoints"]
    [table] = ec2.describe_vpc_endpoints(VpcEndpointIds=[endpoint])["VpcEndpoints"][0]["RouteTableIds"]
    ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, RemoveRouteTableIds=[table])
    code, message = refused(cluster.start)
    source = f"s3://{cluster.outputs['Bucket']}/{cluster.prefix}"
    assert message.startswith(f"Unable to connect to S3 endpoint. Provided source = {source} and region = us-east-1")
    assert "has neither a route to a gateway endpoint for S3 nor one to a NAT gateway" in message
    ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, AddRouteTableIds=[table])
    cluster.start()


def test_a_cluster_in_the_default_vpc_needs_an_endpoint_there(cluster: Cluster, enforcing: LocalCloud) -> None:
    neptune, ec2, name = enforcing.client("neptune"), enforcing.client("ec2"), f"default-{uuid4().hex[:8]}"
    created = neptune.create_db_cluster(DBClusterIdentifier=name, Engine="neptune")["DBCluster"]
    neptune.add_role_to_db_cluster(DBClusterIdentifier=name, RoleArn=cluster.outputs["Role"])
    cluster.put("1", "~id\na\n")
    other = Cluster(enforcing, "Graph", f"https://localhost:{created['Port']}")
    other.prefix = cluster.prefix
    assert "so an internet gateway does not suffice" in refused(other.start)[1]
    [network] = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    tables = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [network["VpcId"]]}])["RouteTables"]
    endpoint = ec2.create_vpc_endpoint(
        VpcId=network["VpcId"],
        ServiceName="com.amazonaws.us-east-1.s3",
        VpcEndpointType="Gateway",
        RouteTableIds=[table["RouteTableId"] for table in tables],
    )["VpcEndpoint"]
    other.start()
    ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint["VpcEndpointId"]])
    neptune.delete_db_cluster(DBClusterIdentifier=name, SkipFinalSnapshot=True)


def test_who_adds_a_role_must_be_allowed_to_pass_it(cluster: Cluster, enforcing: LocalCloud) -> None:
    adding = allow("rds:AddRoleToDBCluster")
    neptune = session(enforcing, role(enforcing, adding, trusts={"AWS": f"arn:aws:iam::{ACCOUNT}:root"}))("neptune")
    other = f"arn:aws:iam::{ACCOUNT}:role/{role(enforcing, trusts=TRUST)}"
    name = cluster.outputs["Cluster"]
    message = refused(lambda: neptune.add_role_to_db_cluster(DBClusterIdentifier=name, RoleArn=other))[1]
    assert f"iam:PassRole on resource: {other}" in message


def test_each_operation_needs_its_own_permission(enforcing: LocalCloud, deployed: Cluster) -> None:
    neptune, name = enforcing.client("neptune"), deployed.outputs["Cluster"]
    neptune.modify_db_cluster(DBClusterIdentifier=name, EnableIAMDatabaseAuthentication=True)
    try:
        held = enforcing.role_credentials(role(enforcing))
        nobody = boto3.session.Session(
            held["AWS_ACCESS_KEY_ID"], held["AWS_SECRET_ACCESS_KEY"], held["AWS_SESSION_TOKEN"], region_name="us-east-1"
        ).client("neptunedata", endpoint_url=deployed.outputs["Endpoint"], verify=str(enforcing.certificate_authority))
        asked: dict[str, Callable[[], Any]] = {
            "StartLoaderJob": lambda: nobody.start_loader_job(
                source="s3://b/", format="csv", iamRoleArn="arn", s3BucketRegion="us-east-1"
            ),
            "GetLoaderJobStatus": lambda: nobody.get_loader_job_status(loadId="x"),
            "ListLoaderJobs": nobody.list_loader_jobs,
            "CancelLoaderJob": lambda: nobody.cancel_loader_job(loadId="x"),
        }
        for action, ask in asked.items():
            code, message = refused(ask)
            assert code == "AccessDeniedException"
            assert f"is not authorized to perform: neptune-db:{action} on resource: " in message
    finally:
        neptune.modify_db_cluster(DBClusterIdentifier=name, EnableIAMDatabaseAuthentication=False)


def test_a_stack_changes_the_roles_of_a_cluster(enforcing: LocalCloud, deployed: Cluster) -> None:
    cloudformation, neptune = enforcing.client("cloudformation"), enforcing.client("neptune")

    def attached() -> list[str]:
        [described] = neptune.describe_db_clusters(DBClusterIdentifier=deployed.outputs["Cluster"])["DBClusters"]
        return [item["RoleArn"].partition("role/")[2].split("-")[1] for item in described["AssociatedRoles"]]

    assert attached() == ["Loader"]
    for roles, names in (
        (f"{FIRST}, {SECOND}", ["Loader", "Second"]),
        (SECOND, ["Second"]),
        ("", []),
        (FIRST, ["Loader"]),
    ):
        cloudformation.update_stack(StackName="Graph", TemplateBody=TEMPLATE % roles, Capabilities=["CAPABILITY_IAM"])
        assert attached() == names


def test_a_snapshot_keeps_what_was_loaded(cluster: Cluster, ended: Ended, enforcing: LocalCloud) -> None:
    neptune = enforcing.client("neptune")
    cluster.put("1", "~id,~label,name\na,P,Ada\nb,P,Bob\n")
    cluster.put("2", "~id,~from,~to,~label\ne,a,b,KNOWS\n")
    ended(cluster, cluster.start())
    snapshot = f"loaded-{uuid4().hex[:8]}"
    neptune.create_db_cluster_snapshot(
        DBClusterSnapshotIdentifier=snapshot, DBClusterIdentifier=cluster.outputs["Cluster"]
    )
    restored = neptune.restore_db_cluster_from_snapshot(
        DBClusterIdentifier=f"{snapshot}-restored", SnapshotIdentifier=snapshot, Engine="neptune"
    )["DBCluster"]
    held = enforcing.environment()
    data = boto3.client(
        "neptunedata",
        endpoint_url=f"https://localhost:{restored['Port']}",
        verify=str(enforcing.certificate_authority),
        region_name="us-east-1",
        aws_access_key_id=held["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=held["AWS_SECRET_ACCESS_KEY"],
    )
    query = "MATCH (a:P)-[:KNOWS]->(b) RETURN a.name AS a, b.name AS b"
    assert data.execute_open_cypher_query(openCypherQuery=query)["results"] == [{"a": "Ada", "b": "Bob"}]
    neptune.delete_db_cluster(DBClusterIdentifier=f"{snapshot}-restored", SkipFinalSnapshot=True)
