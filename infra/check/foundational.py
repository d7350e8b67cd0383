"""The controls of AWS Foundational Security Best Practices that a template can answer, for the types of our stacks.

AWS Security Hub judges what is deployed; here the same questions are asked of the templates. A control that only a
running account can answer, such as whether a snapshot is public, is named in `OF_THE_ACCOUNT`.
Source: https://docs.aws.amazon.com/securityhub/latest/userguide/fsbp-standard.html, as Prowler lists it (2026-08-21).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
#: A question to the properties of a resource; the other argument is all resources of the template.
Question = Callable[[Json, Json], bool]

ANYWHERE = {"0.0.0.0/0", "::/0"}
#: Ports that may be open to everybody, and ports that never may. Sources: EC2.18 and EC2.19 of the standard.
OPEN_PORTS = {80, 443}
RISKY_PORTS = {20, 21, 22, 23, 25, 110, 135, 143, 445, 1433, 1434, 3000, 3306, 3389, 4333, 5000, 5432, 5500, 5601}
RISKY_PORTS |= {8080, 8088, 8888, 9200, 9300}
DEFAULT_PORTS = {"mysql": 3306, "postgres": 5432}
#: What RDS.11, Neptune.5 and Opensearch.6 of the standard ask for at least.
BACKUP_DAYS, DATA_NODES = 7, 3
COMMON_NAMES = {"admin", "postgres", "root", "awsuser"}


@dataclass(frozen=True)
class Control:
    """A control of the standard.

    Attributes:
        name: Its name there, such as `RDS.3`.
        asks: What it asks for.
        types: The types of resources of which it asks it.
        holds: Whether a resource does what it asks for.
        like: The rule of another tool that asks the same; whoever acknowledges that has acknowledged this.
        engine: The engine of the databases of which it asks it; empty: of all.
    """

    name: str
    asks: str
    types: tuple[str, ...]
    holds: Question
    like: str = ""
    engine: str = ""

    def asks_of(self, body: Json) -> bool:
        """Return whether it asks this of a resource."""
        engine = body.get("Properties", {}).get("Engine")
        return body["Type"] in self.types and (not self.engine or engine == self.engine)


def _ingress(properties: Json) -> Iterator[Json]:
    """Yield the rules of a security group, or the one rule that a resource is."""
    yield from properties.get("SecurityGroupIngress", [properties])


def _open_ports(properties: Json) -> Iterator[range]:
    """Yield the ports that are open to everybody."""
    for rule in _ingress(properties):
        if {rule.get("CidrIp"), rule.get("CidrIpv6")} & ANYWHERE:
            first, last = rule.get("FromPort", 0), rule.get("ToPort", 65535)
            yield range(first, last + 1)


def _closed(*ports: int) -> Question:
    return lambda properties, _: not any(port in opened for opened in _open_ports(properties) for port in ports)


def _statements(document: Json | None) -> Iterator[Json]:
    for statement in (document or {}).get("Statement", []):
        actions, resources = statement.get("Action", []), statement.get("Resource", [])
        yield {
            **statement,
            "Action": [actions] if isinstance(actions, str) else actions,
            "Resource": resources if isinstance(resources, list) else [resources],
        }


def _documents(properties: Json) -> Iterator[Json]:
    yield properties.get("PolicyDocument", {})
    yield from (policy["PolicyDocument"] for policy in properties.get("Policies", []))


def _allows(properties: Json) -> Iterator[Json]:
    for document in _documents(properties):
        yield from (statement for statement in _statements(document) if statement["Effect"] == "Allow")


def _no_administrator(properties: Json, _: Json) -> bool:
    return not any("*" in statement["Action"] and "*" in statement["Resource"] for statement in _allows(properties))


def _no_wildcard_of_a_service(properties: Json, _: Json) -> bool:
    return not any(action.endswith(":*") for statement in _allows(properties) for action in statement["Action"])


def _decrypts_under_some_keys(properties: Json, _: Json) -> bool:
    decrypting = {"kms:Decrypt", "kms:ReEncryptFrom", "kms:*", "*"}
    return not any(
        decrypting & {*statement["Action"]} and "*" in statement["Resource"] for statement in _allows(properties)
    )


def _not_for_everybody(document: str) -> Question:
    """A policy of a resource allows nothing to everybody, unless under a condition."""

    def holds(properties: Json, _: Json) -> bool:
        return not any(
            statement["Effect"] == "Allow"
            and statement.get("Principal") in ("*", {"AWS": "*"})
            and "Condition" not in statement
            for statement in _statements(properties.get(document))
        )

    return holds


def _requires_tls(properties: Json, resources: Json) -> bool:
    bucket = next(name for name, body in resources.items() if body.get("Properties") is properties)
    return any(
        statement["Effect"] == "Deny"
        and statement.get("Condition", {}).get("Bool", {}) == {"aws:SecureTransport": "false"}
        for body in resources.values()
        if body["Type"] == "AWS::S3::BucketPolicy" and body["Properties"]["Bucket"] == {"Ref": bucket}
        for statement in _statements(body["Properties"]["PolicyDocument"])
    )


def _logs_its_traffic(properties: Json, resources: Json) -> bool:
    vpc = next(name for name, body in resources.items() if body.get("Properties") is properties)
    return any(
        body["Type"] == "AWS::EC2::FlowLog" and body["Properties"]["ResourceId"] == {"Ref": vpc}
        for body in resources.values()
    )


def _blocks_public_access(*names: str) -> Question:
    return lambda properties, _: all(properties.get("PublicAccessBlockConfiguration", {}).get(name) for name in names)


def _parameter(name: str) -> Question:
    """The parameter group of a database switches something on."""

    def holds(properties: Json, resources: Json) -> bool:
        group = properties.get("DBParameterGroupName", {}).get("Ref")
        return bool(resources.get(group, {}).get("Properties", {}).get("Parameters", {}).get(name) == "1")

    return holds


def _is(*path: str, value: Any = True) -> Question:
    """A property has a value, at the path of its name."""
    return lambda properties, _: bool(_value(properties, path) == value)


def _has(*path: str) -> Question:
    return lambda properties, _: bool(_value(properties, path))


def _value(properties: Json, path: Sequence[str]) -> Any:
    """Return the value at a path; None where it ends early."""
    value: Any = properties
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _addresses(properties: Json) -> list[Json]:
    """Return the network interfaces of an instance, or of a launch template."""
    data: Json = properties.get("LaunchTemplateData", properties)
    interfaces: list[Json] = data.get("NetworkInterfaces", [])
    return interfaces


def _no_public_address(properties: Json, _: Json) -> bool:
    return not any(interface.get("AssociatePublicIpAddress") for interface in _addresses(properties))


def _is_private(machine: Json, resources: Json) -> bool:
    """Neither its interfaces, nor its subnet, nor an elastic address give an instance a public address."""
    name = next(name for name, body in resources.items() if body.get("Properties") is machine)
    subnet = resources.get(machine.get("SubnetId", {}).get("Ref"), {}).get("Properties", {})
    has_elastic_address = any(
        body["Type"] == "AWS::EC2::EIPAssociation" and body["Properties"].get("InstanceId") == {"Ref": name}
        for body in resources.values()
    )
    return _no_public_address(machine, resources) and not subnet.get("MapPublicIpOnLaunch") and not has_elastic_address


def _encrypted_volumes(properties: Json, _: Json) -> bool:
    data: Json = properties.get("LaunchTemplateData", properties)
    volumes = [mapping["Ebs"] for mapping in data.get("BlockDeviceMappings", []) if "Ebs" in mapping]
    return all(volume.get("Encrypted") for volume in volumes)


def _template_of(properties: Json, resources: Json) -> Json:
    """Return the data of the launch template of an instance, or its own properties."""
    reference = properties.get("LaunchTemplate", {}).get("LaunchTemplateId", {})
    name = str(reference.get("Ref")) if isinstance(reference, dict) else ""
    data: Json = resources.get(name, {}).get("Properties", {}).get("LaunchTemplateData", properties)
    return data


def _second_metadata_version(properties: Json, resources: Json) -> bool:
    data = properties.get("LaunchTemplateData") or _template_of(properties, resources)
    return bool(data.get("MetadataOptions", {}).get("HttpTokens") == "required")


def _not_by_name(*names: str, of: str) -> Question:
    return lambda properties, _: properties.get(of) not in names


GROUP, TEMPLATE, MACHINE = "AWS::AutoScaling::AutoScalingGroup", "AWS::EC2::LaunchTemplate", "AWS::EC2::Instance"
TABLE, BUCKET, FUNCTION = "AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::Lambda::Function"
DATABASE, GRAPH, DOMAIN = "AWS::RDS::DBInstance", "AWS::Neptune::DBCluster", "AWS::OpenSearchService::Domain"
SECURITY_GROUPS = ("AWS::EC2::SecurityGroup", "AWS::EC2::SecurityGroupIngress")
ROLES = ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::Role")
SECRET, BALANCER = "AWS::SecretsManager::Secret", "AWS::ElasticLoadBalancingV2::LoadBalancer"
SUPPORTED_RUNTIMES = {"python3.10", "python3.11", "python3.12", "python3.13", "python3.14"}

CONTROLS = [
    Control(
        "AutoScaling.1",
        "A group behind a load balancer uses its health checks.",
        (GROUP,),
        lambda group, _: not group.get("TargetGroupARNs") or group.get("HealthCheckType") == "ELB",
    ),
    Control(
        "AutoScaling.2",
        "A group covers several zones.",
        (GROUP,),
        lambda group, _: len(group.get("VPCZoneIdentifier", [])) > 1,
    ),
    Control("AutoScaling.6", "A group uses several instance types.", (GROUP,), _has("MixedInstancesPolicy")),
    Control(
        "AutoScaling.9",
        "A group is made from a launch template.",
        (GROUP,),
        lambda group, _: bool(group.get("LaunchTemplate") or group.get("MixedInstancesPolicy")),
    ),
    Control(
        "DynamoDB.1",
        "A table scales its capacity with demand.",
        (TABLE,),
        _is("BillingMode", value="PAY_PER_REQUEST"),
    ),
    Control(
        "DynamoDB.2",
        "A table can be restored to a point in time.",
        (TABLE,),
        _is("PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled"),
        like="CKV_AWS_28",
    ),
    Control("DynamoDB.6", "A table is protected from deletion.", (TABLE,), _is("DeletionProtectionEnabled")),
    Control("EC2.3", "Volumes are encrypted.", (MACHINE, TEMPLATE), _encrypted_volumes),
    Control("EC2.6", "The traffic of a VPC is logged.", ("AWS::EC2::VPC",), _logs_its_traffic),
    Control(
        "EC2.8",
        "Instances serve their metadata only to requests with a token.",
        (MACHINE,),
        _second_metadata_version,
    ),
    Control("EC2.9", "Instances have no public address.", (MACHINE,), _is_private, like="CKV_AWS_88"),
    Control("EC2.13", "Port 22 is not open to everybody.", SECURITY_GROUPS, _closed(22)),
    Control("EC2.14", "Port 3389 is not open to everybody.", SECURITY_GROUPS, _closed(3389)),
    Control(
        "EC2.15",
        "Subnets assign no public addresses by themselves.",
        ("AWS::EC2::Subnet",),
        lambda subnet, _: not subnet.get("MapPublicIpOnLaunch"),
    ),
    Control(
        "EC2.17",
        "Instances have one network interface.",
        (MACHINE,),
        lambda machine, _: len(_addresses(machine)) <= 1,
    ),
    Control(
        "EC2.18",
        "Only ports 80 and 443 are open to everybody.",
        SECURITY_GROUPS,
        lambda rules, _: all({*ports} <= OPEN_PORTS for ports in _open_ports(rules)),
    ),
    Control("EC2.19", "Ports of high risk are not open to everybody.", SECURITY_GROUPS, _closed(*RISKY_PORTS)),
    Control(
        "EC2.25",
        "Launch templates assign no public addresses.",
        (TEMPLATE,),
        _no_public_address,
        like="CKV_AWS_88",
    ),
    Control(
        "EC2.170",
        "Launch templates ask for tokens of the metadata service.",
        (TEMPLATE,),
        _second_metadata_version,
    ),
    Control(
        "ELB.4",
        "Load balancers drop invalid headers.",
        (BALANCER,),
        lambda balancer, _: (
            {"Key": "routing.http.drop_invalid_header_fields.enabled", "Value": "true"}
            in balancer.get("LoadBalancerAttributes", [])
        ),
    ),
    Control(
        "ELB.5",
        "Load balancers log requests.",
        (BALANCER,),
        lambda balancer, _: (
            {"Key": "access_logs.s3.enabled", "Value": "true"} in balancer.get("LoadBalancerAttributes", [])
        ),
        like="CKV_AWS_91",
    ),
    Control("IAM.1", "No policy allows everything on everything.", ROLES, _no_administrator),
    Control(
        "IAM.2",
        "No user has a policy of its own.",
        ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"),
        lambda policy, _: not policy.get("Users"),
    ),
    Control("IAM.21", "No policy allows all actions of a service.", ROLES, _no_wildcard_of_a_service),
    Control(
        "KMS.1",
        "No managed policy allows decryption under every key.",
        ("AWS::IAM::ManagedPolicy",),
        _decrypts_under_some_keys,
    ),
    Control(
        "KMS.2",
        "No inline policy allows decryption under every key.",
        ("AWS::IAM::Policy", "AWS::IAM::Role"),
        _decrypts_under_some_keys,
    ),
    Control("KMS.4", "Keys are rotated.", ("AWS::KMS::Key",), _is("EnableKeyRotation")),
    Control("KMS.5", "No key is for everybody.", ("AWS::KMS::Key",), _not_for_everybody("KeyPolicy")),
    Control(
        "Lambda.1",
        "Nobody outside the account may call a function.",
        ("AWS::Lambda::Permission",),
        lambda permission, _: "SourceAccount" in permission or "SourceArn" in permission,
    ),
    Control(
        "Lambda.2",
        "Functions use a runtime that AWS supports.",
        (FUNCTION,),
        lambda function, _: function.get("Runtime") in SUPPORTED_RUNTIMES,
    ),
    Control("Lambda.3", "Functions are in a VPC.", (FUNCTION,), _has("VpcConfig"), like="CKV_AWS_117"),
    Control(
        "Lambda.5",
        "Functions in a VPC work in several zones.",
        (FUNCTION,),
        lambda function, _: "VpcConfig" not in function or len(function["VpcConfig"]["SubnetIds"]) > 1,
    ),
    Control("Neptune.1", "Graph databases are encrypted.", (GRAPH,), _is("StorageEncrypted")),
    Control(
        "Neptune.2",
        "Graph databases publish their audit log.",
        (GRAPH,),
        lambda cluster, _: "audit" in cluster.get("EnableCloudwatchLogsExports", []),
        like="CKV_AWS_101",
    ),
    Control("Neptune.4", "Graph databases are protected from deletion.", (GRAPH,), _is("DeletionProtection")),
    Control(
        "Neptune.5",
        "Graph databases are backed up for seven days or longer.",
        (GRAPH,),
        lambda cluster, _: cluster.get("BackupRetentionPeriod", 1) >= BACKUP_DAYS,
    ),
    Control("Neptune.7", "Graph databases authenticate by IAM.", (GRAPH,), _is("IamAuthEnabled")),
    Control("Neptune.8", "Snapshots of graph databases have their tags.", (GRAPH,), _is("CopyTagsToSnapshot")),
    Control(
        "Neptune.9",
        "Graph databases have instances in several zones.",
        (GRAPH,),
        lambda _, resources: sum(body["Type"] == "AWS::Neptune::DBInstance" for body in resources.values()) > 1,
    ),
    Control("Opensearch.1", "Search domains are encrypted.", (DOMAIN,), _is("EncryptionAtRestOptions", "Enabled")),
    Control("Opensearch.2", "Search domains are in a VPC.", (DOMAIN,), _has("VPCOptions")),
    Control(
        "Opensearch.3",
        "Search domains encrypt what nodes send each other.",
        (DOMAIN,),
        _is("NodeToNodeEncryptionOptions", "Enabled"),
    ),
    Control(
        "Opensearch.4",
        "Search domains log errors.",
        (DOMAIN,),
        _is("LogPublishingOptions", "ES_APPLICATION_LOGS", "Enabled"),
    ),
    Control(
        "Opensearch.5",
        "Search domains have an audit log.",
        (DOMAIN,),
        _is("LogPublishingOptions", "AUDIT_LOGS", "Enabled"),
        like="CKV_AWS_317",
    ),
    Control(
        "Opensearch.6",
        "Search domains have three data nodes or more.",
        (DOMAIN,),
        lambda domain, _: domain.get("ClusterConfig", {}).get("InstanceCount", 1) >= DATA_NODES,
    ),
    Control(
        "Opensearch.7",
        "Search domains control access to fields.",
        (DOMAIN,),
        _is("AdvancedSecurityOptions", "Enabled"),
    ),
    Control(
        "Opensearch.8",
        "Search domains use the newest TLS policy.",
        (DOMAIN,),
        lambda domain, _: (
            str(domain.get("DomainEndpointOptions", {}).get("TLSSecurityPolicy")).startswith("Policy-Min-TLS-1-2")
            and bool(domain["DomainEndpointOptions"].get("EnforceHTTPS"))
        ),
    ),
    Control(
        "RDS.2",
        "Databases are not reachable from the internet.",
        (DATABASE,),
        _is("PubliclyAccessible", value=False),
    ),
    Control("RDS.3", "Databases are encrypted.", (DATABASE,), _is("StorageEncrypted"), like="CKV_AWS_16"),
    Control("RDS.5", "Databases have a standby in another zone.", (DATABASE,), _is("MultiAZ"), like="CKV_AWS_157"),
    Control(
        "RDS.6", "Databases have enhanced monitoring.", (DATABASE,), _has("MonitoringInterval"), like="CKV_AWS_118"
    ),
    Control(
        "RDS.8",
        "Databases are protected from deletion.",
        (DATABASE,),
        _is("DeletionProtection"),
        like="RDS10",
    ),
    Control("RDS.9", "Databases publish their logs.", (DATABASE,), _has("EnableCloudwatchLogsExports")),
    Control(
        "RDS.10",
        "Databases authenticate by IAM.",
        (DATABASE,),
        _is("EnableIAMDatabaseAuthentication"),
        like="CKV_AWS_161",
    ),
    Control(
        "RDS.11",
        "Databases are backed up for seven days or longer.",
        (DATABASE,),
        lambda database, _: int(database.get("BackupRetentionPeriod", 1)) >= BACKUP_DAYS,
    ),
    Control("RDS.13", "Databases take minor versions by themselves.", (DATABASE,), _is("AutoMinorVersionUpgrade")),
    Control("RDS.17", "Snapshots of databases have their tags.", (DATABASE,), _is("CopyTagsToSnapshot")),
    Control("RDS.18", "Databases are in a VPC.", (DATABASE,), _has("DBSubnetGroupName")),
    Control(
        "RDS.23",
        "Databases listen on another port than their engine's.",
        (DATABASE,),
        lambda database, _: int(database.get("Port", 0)) not in (0, DEFAULT_PORTS.get(database.get("Engine", ""))),
        like="RDS11",
    ),
    Control(
        "RDS.25",
        "The owner of a database has no common name.",
        (DATABASE,),
        _not_by_name(*COMMON_NAMES, of="MasterUsername"),
    ),
    Control(
        "RDS.36",
        "PostgreSQL publishes its log.",
        (DATABASE,),
        lambda database, _: "postgresql" in database.get("EnableCloudwatchLogsExports", []),
        engine="postgres",
    ),
    Control("RDS.38", "PostgreSQL requires TLS.", (DATABASE,), _parameter("rds.force_ssl"), engine="postgres"),
    Control("RDS.39", "MySQL requires TLS.", (DATABASE,), _parameter("require_secure_transport"), engine="mysql"),
    Control(
        "S3.2",
        "Nobody reads a bucket without credentials.",
        (BUCKET,),
        _blocks_public_access("BlockPublicAcls", "IgnorePublicAcls", "RestrictPublicBuckets"),
    ),
    Control(
        "S3.3",
        "Nobody writes to a bucket without credentials.",
        (BUCKET,),
        _blocks_public_access("BlockPublicAcls", "IgnorePublicAcls", "RestrictPublicBuckets"),
    ),
    Control("S3.5", "Buckets refuse requests without TLS.", (BUCKET,), _requires_tls),
    Control(
        "S3.6",
        "Policies of buckets allow other accounts nothing.",
        ("AWS::S3::BucketPolicy",),
        lambda policy, _: all(
            statement["Effect"] == "Deny" or "AWS" not in statement["Principal"]
            for statement in _statements(policy["PolicyDocument"])
        ),
    ),
    Control(
        "S3.8",
        "Buckets block public access.",
        (BUCKET,),
        _blocks_public_access("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"),
    ),
    Control(
        "S3.9",
        "Buckets have an access log.",
        (BUCKET,),
        _has("LoggingConfiguration"),
        like="CKV_AWS_18",
    ),
    Control(
        "S3.12", "Buckets do not use access control lists.", (BUCKET,), lambda bucket, _: "AccessControl" not in bucket
    ),
    Control("S3.13", "Buckets have a rule for the life of objects.", (BUCKET,), _has("LifecycleConfiguration")),
    Control(
        "S3.14",
        "Buckets keep versions.",
        (BUCKET,),
        _is("VersioningConfiguration", "Status", value="Enabled"),
        like="CKV_AWS_21",
    ),
    Control(
        "SecretsManager.1",
        "Secrets are rotated by themselves.",
        (SECRET,),
        lambda secret, resources: any(
            body["Type"] == "AWS::SecretsManager::RotationSchedule"
            and any(
                resources.get(name, {}).get("Properties") is secret
                for name in [body["Properties"]["SecretId"].get("Ref")]
            )
            for body in resources.values()
        ),
        like="SMG4",
    ),
    Control("SNS.1", "Topics are encrypted.", ("AWS::SNS::Topic",), _has("KmsMasterKeyId")),
    Control(
        "SNS.4",
        "Policies of topics allow nothing to everybody.",
        ("AWS::SNS::TopicPolicy",),
        _not_for_everybody("PolicyDocument"),
    ),
    Control(
        "SQS.1",
        "Queues are encrypted.",
        ("AWS::SQS::Queue",),
        lambda queue, _: bool(queue.get("KmsMasterKeyId") or queue.get("SqsManagedSseEnabled", True)),
    ),
    Control(
        "SQS.3",
        "Policies of queues allow nothing to everybody.",
        ("AWS::SQS::QueuePolicy",),
        _not_for_everybody("PolicyDocument"),
    ),
]
#: Controls of services that the stacks use, which only an account or what runs in it can answer.
_OF_THE_ACCOUNT = """
    Account.1 CloudFormation.1 CloudTrail.1 CloudTrail.2 CloudTrail.4 CloudTrail.5 Config.1 DynamoDB.4 EC2.1 EC2.2 EC2.4
    EC2.7 EC2.10 EC2.12 EC2.16 EC2.28 GuardDuty.1 IAM.3 IAM.4 IAM.5 IAM.6 IAM.7 IAM.8 KMS.3 Neptune.3 Neptune.6
    Opensearch.10 RDS.1 RDS.4 RDS.19 RDS.20 RDS.21 RDS.22 RDS.26 S3.1 SecretsManager.2 SecretsManager.3 SSM.1 SSM.2
    SSM.3 SSM.4
"""
OF_THE_ACCOUNT = tuple(_OF_THE_ACCOUNT.split())
