"""What DataEcosystem promises beyond what holds for every stack."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from contract import projections

from .conftest import Json, as_list, of_type, only, statements

FILE = "data-ecosystem.yaml"


@pytest.fixture(scope="module")
def template(all_templates: dict[str, Json]) -> Json:
    return all_templates["DataEcosystem"]


def subnets_of(template: Json, kind: str) -> set[str]:
    """Logical ids of the VPC's subnets of a kind."""
    return {name for name, _ in of_type(template, "AWS::EC2::Subnet") if kind in name}


def named(node: Any) -> set[str]:
    """The resources that a list of references names."""
    return {str(item.get("Ref") or item["Fn::GetAtt"][0]) for item in node}


def actions_of(template: Json, role: str) -> set[str]:
    """What a role may do, by all policies that are its own."""
    found = set()
    for kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
        for _, body in of_type(template, kind):
            if {"Ref": role} in body["Properties"].get("Roles", []):
                document = body["Properties"]["PolicyDocument"]
                allowed = [each for each in document["Statement"] if each["Effect"] == "Allow"]
                found |= {action for each in allowed for action in as_list(each["Action"])}
    return found


def test_the_film_library_has_its_keys_two_indexes_a_stream_and_recovery(template: Json) -> None:
    table = template["Resources"]["Movies"]["Properties"]
    keys = [(key["AttributeName"], key["KeyType"]) for key in table["KeySchema"]]
    assert keys == [("MovieID", "HASH"), ("MovieTitle", "RANGE")]
    indexes = {
        index["IndexName"]: [key["AttributeName"] for key in index["KeySchema"]]
        for index in table["GlobalSecondaryIndexes"]
    }
    assert indexes == {"ByGenre": ["Genre", "MovieTitle"], "ByYear": ["Year", "MovieTitle"]}
    assert table["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["BillingMode"] == "PAY_PER_REQUEST"


def test_a_restored_table_becomes_the_film_library(synthesise: Callable[..., Json], template: Json) -> None:
    arn = "arn:aws:dynamodb:us-east-1:123456789012:table/restored"
    stream = f"{arn}/stream/2026-11-29T08:30:00.000"
    adopting = synthesise(FILE, {"data_ecosystem.movies_stream_arn": stream})
    assert template["Resources"].keys() - adopting["Resources"].keys() == {"Movies"}
    assert adopting["Resources"]["LibraryChanges"]["Properties"]["EventSourceArn"] == stream
    assert adopting["Outputs"]["MoviesTableName"]["Value"] == "restored"
    allowed = [allow for _, allow in statements(adopting) if "dynamodb:BatchWriteItem" in as_list(allow["Action"])]
    assert [as_list(allow["Resource"]) for allow in allowed] == [[arn, f"{arn}/index/*"]]


def test_a_restored_graph_inherits_its_encryption(synthesise: Callable[..., Json]) -> None:
    key = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000"
    context = {"data_ecosystem.graph_snapshot": "before", "data_ecosystem.kms_key_arn": key}
    cluster = only(synthesise(FILE, context), "AWS::Neptune::DBCluster")
    assert cluster["SnapshotIdentifier"] == "before"
    assert cluster.keys().isdisjoint({"StorageEncrypted", "KmsKeyId"})


def test_postgresql_is_private_encrypted_backed_up_and_speaks_tls_alone(template: Json) -> None:
    database = only(template, "AWS::RDS::DBInstance")
    assert (database["Engine"], database["EngineVersion"]) == ("postgres", "18")
    assert database["StorageEncrypted"]
    assert not database["PubliclyAccessible"]
    assert database["BackupRetentionPeriod"] == 7
    assert only(template, "AWS::RDS::DBParameterGroup")["Parameters"]["rds.force_ssl"] == "1"
    assert only(template, "AWS::SecretsManager::SecretTargetAttachment")["SecretId"] == {"Ref": "LedgerAccess"}
    subnets = only(template, "AWS::RDS::DBSubnetGroup")["SubnetIds"]
    assert named(subnets) == subnets_of(template, "Isolated")


def test_neptune_is_serverless_signed_for_encrypted_and_backed_up(template: Json) -> None:
    cluster = only(template, "AWS::Neptune::DBCluster")
    assert cluster["ServerlessScalingConfiguration"] == {"MinCapacity": 1, "MaxCapacity": 2.5}
    assert cluster["IamAuthEnabled"]
    assert cluster["StorageEncrypted"]
    assert cluster["BackupRetentionPeriod"] == 7
    assert only(template, "AWS::Neptune::DBInstance")["DBInstanceClass"] == "db.serverless"
    assert named(only(template, "AWS::Neptune::DBSubnetGroup")["SubnetIds"]) == subnets_of(template, "Isolated")


def test_opensearch_is_small_private_encrypted_with_fine_grained_access(template: Json) -> None:
    domain = only(template, "AWS::OpenSearchService::Domain")
    assert domain["ClusterConfig"]["InstanceType"] == "t3.small.search"
    assert domain["EBSOptions"]["VolumeSize"] == 10
    assert domain["EncryptionAtRestOptions"]["Enabled"]
    assert domain["NodeToNodeEncryptionOptions"]["Enabled"]
    assert domain["DomainEndpointOptions"]["EnforceHTTPS"]
    assert domain["AdvancedSecurityOptions"]["Enabled"]
    assert named(domain["VPCOptions"]["SubnetIds"]) <= subnets_of(template, "Isolated")
    [statement] = domain["AccessPolicies"]["Statement"]
    assert named(statement["Principal"]["AWS"]) == {"JobsRole", "CatalogIndexerRole"}


def test_functions_are_in_isolated_subnets_which_have_no_way_out(template: Json) -> None:
    functions = list(of_type(template, "AWS::Lambda::Function"))
    assert {name for name, function in functions if "VpcConfig" not in function["Properties"]} == {"TrendsTokenKeeper"}
    inside = {name: function for name, function in functions if "VpcConfig" in function["Properties"]}
    assert inside.keys() == {"CatalogIndexer", "RentalProjector", "TrendsTokenMaker"}
    for function in inside.values():
        assert named(function["Properties"]["VpcConfig"]["SubnetIds"]) == subnets_of(template, "Isolated")
    for _, route in of_type(template, "AWS::EC2::Route"):
        assert route["Properties"]["RouteTableId"]["Ref"].startswith("NetworkVpcPublic")


def test_batches_come_again_in_part_and_what_kills_a_run_is_kept(template: Json) -> None:
    sources = dict(of_type(template, "AWS::Lambda::EventSourceMapping"))
    for source in sources.values():
        assert source["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    library = sources["LibraryChanges"]["Properties"]
    assert library["BisectBatchOnFunctionError"]
    assert library["StartingPosition"] == "TRIM_HORIZON"
    assert named([library["DestinationConfig"]["OnFailure"]["Destination"]]) == {"QueuesFailedBatches"}
    rentals = template["Resources"]["QueuesRentals"]["Properties"]
    assert rentals["FifoQueue"]
    assert named([rentals["RedrivePolicy"]["deadLetterTargetArn"]]) == {"QueuesUndelivered"}


def test_requests_end_before_functions_and_functions_before_messages_come_again(template: Json) -> None:
    resources = template["Resources"]
    functions = [resources[name]["Properties"] for name in ("RentalProjector", "CatalogIndexer")]
    source, queue = (resources[name]["Properties"] for name in ("RentalEventSource", "QueuesRentals"))
    for function in functions:
        assert function["Timeout"] == projections.TIMEOUT_SECONDS
    assert 2 * projections.MESSAGE_SECONDS < projections.TIMEOUT_SECONDS  # the first message of a run is always tried
    assert projections.MESSAGE_SECONDS == 5 * (projections.CONNECT_SECONDS + projections.READ_SECONDS)
    # One look at the index, one batch, and at least one dead letter.
    assert 2 * projections.BULK_SECONDS + 3 * projections.REQUEST_SECONDS < projections.TIMEOUT_SECONDS
    assert queue["VisibilityTimeout"] == 6 * functions[0]["Timeout"]  # what AWS asks for
    assert queue["MaximumMessageSize"] == projections.MESSAGE_BYTES
    # Each message before it in a batch may use all its attempts; SQS counts to 1,000.
    assert projections.ATTEMPTS * source["BatchSize"] <= queue["RedrivePolicy"]["maxReceiveCount"] <= 1000


def test_each_role_may_do_what_it_does_and_nothing_else(template: Json) -> None:
    logs = {"logs:CreateLogStream", "logs:PutLogEvents"}
    enter = {"ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:DescribeNetworkInterfaces"}
    every = logs | enter | {"ec2:DescribeSubnets", "dynamodb:PutItem", "sqs:SendMessage"}
    stream = {f"dynamodb:{name}" for name in ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")}
    search = {"es:ESHttpHead", "es:ESHttpPost"}
    assert actions_of(template, "CatalogIndexerRole") == every | stream | search
    graph = {f"neptune-db:{name}DataViaQuery" for name in ("Read", "Write", "Delete")}
    secret = {"secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"}
    rentals = {
        f"sqs:{name}" for name in ("ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility", "GetQueueAttributes")
    }
    rentals |= {"dynamodb:UpdateItem"}  # counts attempts
    assert actions_of(template, "RentalProjectorRole") == every | graph | secret | rentals


def allowed_by(template: Json, policy: str) -> set[tuple[str, str]]:
    """Pairs of an action and what it is allowed on: the ARN of a resource, with what follows it."""
    pairs = set()
    for statement in template["Resources"][policy]["Properties"]["PolicyDocument"]["Statement"]:
        for resource in as_list(statement["Resource"]):
            steps = resource["Fn::Join"][1] if "Fn::Join" in resource else [resource]
            words = [
                step if isinstance(step, str) else next(iter(as_list(next(iter(step.values()))))) for step in steps
            ]
            pairs |= {(action, "".join(words)) for action in as_list(statement["Action"])}
    return pairs


def test_neptune_may_read_the_files_of_bulk_loads_and_nothing_else(template: Json) -> None:
    role = template["Resources"]["BulkLoadsGraphRole"]["Properties"]
    assert only(template, "AWS::Neptune::DBCluster")["AssociatedRoles"] == [
        {"RoleArn": {"Fn::GetAtt": ["BulkLoadsGraphRole", "Arn"]}}
    ]
    [trust] = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust == {"Action": "sts:AssumeRole", "Effect": "Allow", "Principal": {"Service": "rds.amazonaws.com"}}
    assert allowed_by(template, "BulkLoadsGraphRoleDefaultPolicy") == {
        ("s3:ListBucket", "BulkLoadsBucket"),
        ("s3:GetObject", "BulkLoadsBucket/*"),
    }
    assert actions_of(template, "BulkLoadsGraphRole") == {"s3:ListBucket", "s3:GetObject"}


def test_jobs_load_files_into_the_graph_and_the_library(template: Json) -> None:
    allowed = allowed_by(template, "JobsRoleDefaultPolicy")
    bucket = {(action, resource) for action, resource in allowed if resource.startswith("BulkLoadsBucket")}
    assert bucket == {
        ("s3:ListBucket", "BulkLoadsBucket"),
        *((f"s3:{action}Object", "BulkLoadsBucket/*") for action in ("Delete", "Get", "Put")),
    }
    loads = {
        (action, resource) for action, resource in allowed if action.startswith("neptune-db:") and "Loader" in action
    }
    assert {action.partition(":")[2] for action, _ in loads} == {"GetLoaderJobStatus", "StartLoaderJob"}
    assert all(resource.endswith(":GraphCluster/*") for _, resource in loads)
    assert allowed_by(template, "BulkLoadsBulkPut") == {
        ("dynamodb:StartBulkPutItems", "Movies"),
        ("dynamodb:DescribeBulkOperation", "Movies/*"),
    }
    assert template["Resources"]["BulkLoadsBulkPut"]["Properties"]["Roles"] == [{"Ref": "JobsRole"}]


def test_what_an_interrupted_bulk_load_left_expires(template: Json) -> None:
    rules = template["Resources"]["BulkLoadsBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    assert [rule["Status"] for rule in rules] == ["Enabled", "Enabled"]
    assert [rule.get("ExpirationInDays") for rule in rules] == [7, None]
    assert rules[1]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
    assert template["Outputs"]["BulkLoadBucketName"]["Value"] == {"Ref": "BulkLoadsBucket"}
    assert template["Outputs"]["GraphLoaderRoleArn"]["Value"] == {"Fn::GetAtt": ["BulkLoadsGraphRole", "Arn"]}


def test_neptune_connects_to_s3_alone(template: Json) -> None:
    ways = [
        body["Properties"]
        for _, body in of_type(template, "AWS::EC2::SecurityGroupEgress")
        if named([body["Properties"]["GroupId"]]) == {"NetworkGraphGroup"}
    ]
    assert [(way["CidrIp"], way["IpProtocol"], way["FromPort"], way["ToPort"]) for way in ways] == [
        ("0.0.0.0/0", "tcp", 443, 443)
    ]


def test_engines_let_in_their_clients_alone(template: Json) -> None:
    ways = {
        (rule["Properties"]["SourceSecurityGroupId"]["Fn::GetAtt"][0], rule["Properties"]["GroupId"]["Fn::GetAtt"][0])
        for _, rule in of_type(template, "AWS::EC2::SecurityGroupIngress")
    }
    job, indexer, projector = (f"Network{who}Group" for who in ("Job", "Indexer", "Projector"))
    assert ways == {
        (job, "NetworkDatabaseGroup"),
        (job, "NetworkGraphGroup"),
        (job, "NetworkSearchGroup"),
        (job, "TrendsServer"),
        ("TrendsTokenGroup", "TrendsServer"),
        (indexer, "NetworkSearchGroup"),
        (projector, "NetworkGraphGroup"),
        (projector, "TrendsServer"),
        (job, "NetworkSecretsGroup"),  # the endpoint's name holds for the whole network
        (projector, "NetworkSecretsGroup"),
    }


def test_jobs_run_on_fargate_from_nothing(template: Json) -> None:
    resources = only(template, "AWS::Batch::ComputeEnvironment")["ComputeResources"]
    assert resources["Type"] == "FARGATE"
    assert named(resources["Subnets"]) == subnets_of(template, "Public")
    job = only(template, "AWS::Batch::JobDefinition")
    assert job["PlatformCapabilities"] == ["FARGATE"]
    assert job["ContainerProperties"]["Command"][3:5] == ["movie-rental", "Ref::task"]


def test_with_both_keys_all_data_go(synthesise: Callable[..., Json]) -> None:
    context = {"allow_data_deletion": "true", "data_ecosystem.delete_data": "true"}
    template = synthesise(FILE, context)
    kept = {name for name, body in template["Resources"].items() if body.get("DeletionPolicy", "Delete") != "Delete"}
    assert kept == set()
    assert {
        name
        for name, body in synthesise(FILE, {"data_ecosystem.delete_data": "true"})["Resources"].items()
        if body.get("DeletionPolicy") == "Snapshot"
    } == {"LedgerInstance", "GraphCluster"}


def test_liveanalytics_instead_of_influxdb(synthesise: Callable[..., Json]) -> None:
    template = synthesise(
        FILE, {"data_ecosystem.engine": "liveanalytics", "data_ecosystem.timestream_cell": "ingest-cell2"}
    )
    assert not list(of_type(template, "AWS::Timestream::InfluxDBInstance"))
    assert template["Outputs"]["Engine"]["Value"] == "liveanalytics"
    assert "Endpoint" not in template["Outputs"]
    [endpoint] = [
        body["Properties"]
        for _, body in of_type(template, "AWS::EC2::VPCEndpoint")
        if body["Properties"]["VpcEndpointType"] == "Interface"
    ]
    assert "timestream.ingest-cell2" in str(endpoint["ServiceName"])
    address = template["Resources"]["RentalProjector"]["Properties"]["Environment"]["Variables"]
    assert "ingest-cell2.timestream." in str(address["AWS_ENDPOINT_URL_TIMESTREAM_WRITE"])
    writes = actions_of(template, "RentalProjectorRole")
    assert "timestream:WriteRecords" in writes
    assert "timestream:Select" not in writes


def test_the_old_database_is_reached_where_it_is_and_its_password_comes_from_a_secret(
    synthesise: Callable[..., Json],
) -> None:
    arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:legacy-AbCdEf"
    template = synthesise(
        FILE, {"data_ecosystem.source_cidr": "203.0.113.7/32", "data_ecosystem.source_secret_arn": arn}
    )
    way = template["Resources"]["JobsToSource"]["Properties"]
    assert (way["CidrIp"], way["FromPort"], way["ToPort"]) == ("203.0.113.7/32", 5432, 5432)
    container = only(template, "AWS::Batch::JobDefinition")["ContainerProperties"]
    assert container["Secrets"] == [{"Name": "MOVIE_RENTAL_SOURCE", "ValueFrom": arn}]
    reads = [each for name, each in statements(template) if name == "JobsReadSource"]
    assert reads == [{"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": arn}]


@pytest.mark.parametrize("engine", ["influxdb", "liveanalytics"])
def test_rotation_is_aws_own_function_with_a_way_to_the_database_and_to_the_secret(
    synthesise: Callable[..., Json], engine: str
) -> None:
    settings = {"data_ecosystem.password_rotation_days": 30, "data_ecosystem.engine": engine}
    template = synthesise(FILE, settings)
    schedule = only(template, "AWS::SecretsManager::RotationSchedule")
    assert schedule["HostedRotationLambda"]["RotationType"] == "PostgreSQLSingleUser"
    assert schedule["RotationRules"] == {"AutomaticallyAfterDays": 30}
    assert as_list(template["Transform"]) == ["AWS::SecretsManager-2024-09-16"]
    group = schedule["HostedRotationLambda"]["VpcSecurityGroupIds"]
    ways = {
        (*named([rule["GroupId"]]), rule["FromPort"])
        for _, body in of_type(template, "AWS::EC2::SecurityGroupIngress")
        for rule in [body["Properties"]]
        if rule.get("SourceSecurityGroupId") == group
    }
    assert ways == {("NetworkDatabaseGroup", 5432), ("NetworkSecretsGroup", 443)}
    services = [
        str(body["Properties"]["ServiceName"])
        for _, body in of_type(template, "AWS::EC2::VPCEndpoint")
        if body["Properties"]["VpcEndpointType"] == "Interface"
    ]
    assert len([service for service in services if "secretsmanager" in service]) == 1
    assert "NetworkSecrets" in template["Resources"]["LedgerRotationSchedule"]["DependsOn"]


def test_the_function_that_rotates_may_use_a_key_of_the_accounts(synthesise: Callable[..., Json]) -> None:
    key = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000"
    template = synthesise(FILE, {"data_ecosystem.password_rotation_days": 30, "data_ecosystem.kms_key_arn": key})
    assert only(template, "AWS::SecretsManager::RotationSchedule")["HostedRotationLambda"]["KmsKeyArn"] == key


def test_the_service_linked_role_is_made_when_asked_for(synthesise: Callable[..., Json]) -> None:
    template = synthesise(FILE, {"data_ecosystem.search_service_role": "true"})
    assert only(template, "AWS::IAM::ServiceLinkedRole")["AWSServiceName"] == "opensearchservice.amazonaws.com"
    assert "SearchLinkedRole" in template["Resources"]["SearchDomain"]["DependsOn"]
