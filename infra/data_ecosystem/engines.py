"""Define the engines behind the rental business, none of which can be reached from outside the network."""

from __future__ import annotations

from aws_cdk import (
    Aws,
    CfnCondition,
    CfnUpdatePolicy,
    Fn,
    RemovalPolicy,
    Stack,
    Token,
    aws_dynamodb,
    aws_iam,
    aws_neptune,
    aws_opensearchservice,
)
from constructs import Construct

from contract.dead_letters import EXPIRY, PARTITION_KEY, SORT_KEY
from infra.constructs.relational_database import INHERITED, Engine, RelationalDatabase
from infra.constructs.security_groups import HTTPS, let_out
from infra.data_ecosystem.network import EcosystemNetwork
from infra.guardrails import acknowledge
from infra.parameters import unless_set, value_or
from infra.regions import only_where_offered
from infra.settings.data_ecosystem import DataEcosystemSettings

DATABASE_PORT, GRAPH_PORT = 5432, 8182
DATABASE_NAME = "rental"
EVERYWHERE = "0.0.0.0/0"
"""As far as the routes of a subnet reach; from an isolated one, to the gateways of AWS's services."""
POSTGRESQL = Engine(
    "postgres",
    version="18",
    family="postgres18",
    parameters={"rds.force_ssl": "1", "log_min_duration_statement": "1000"},
    port=DATABASE_PORT,
    rotation="PostgreSQLSingleUser",
)
OWN_KEY = "Encrypted under AWS's own key; a key of the account would cost more than it adds."


def movie_table(scope: Construct, policy: RemovalPolicy, stream_arn: str = "") -> aws_dynamodb.ITable:
    """Make the film library, with indexes for its two queries: films of a genre and films of a year, by title.

    With the ARN of a stream, adopt the table that the stream is of. The stack uses it, and neither changes nor deletes
    it.
    """
    if stream_arn:
        table_arn = stream_arn.partition("/stream/")[0]
        return aws_dynamodb.Table.from_table_attributes(
            scope, "Movies", table_arn=table_arn, table_stream_arn=stream_arn, global_indexes=["ByGenre", "ByYear"]
        )
    key = aws_dynamodb.Attribute
    texts, numbers = aws_dynamodb.AttributeType.STRING, aws_dynamodb.AttributeType.NUMBER
    title = key(name="MovieTitle", type=texts)
    table = aws_dynamodb.Table(
        scope,
        "Movies",
        partition_key=key(name="MovieID", type=texts),
        sort_key=title,
        billing_mode=aws_dynamodb.BillingMode.PAY_PER_REQUEST,
        stream=aws_dynamodb.StreamViewType.NEW_AND_OLD_IMAGES,
        point_in_time_recovery_specification=aws_dynamodb.PointInTimeRecoverySpecification(
            point_in_time_recovery_enabled=True
        ),
        removal_policy=policy,
    )
    acknowledge(table, {"CKV_AWS_119": OWN_KEY})
    for name, kind in (("Genre", texts), ("Year", numbers)):
        table.add_global_secondary_index(
            index_name=f"By{name}",
            partition_key=key(name=name, type=kind),
            sort_key=title,
            projection_type=aws_dynamodb.ProjectionType.KEYS_ONLY,
        )
    return table


def dead_letter_table(scope: Construct, policy: RemovalPolicy) -> aws_dynamodb.Table:
    """Make the table of what the functions gave up. Unlike a queue, it has a free gateway in the network."""
    key = aws_dynamodb.Attribute
    table = aws_dynamodb.Table(
        scope,
        "DeadLetters",
        partition_key=key(name=PARTITION_KEY, type=aws_dynamodb.AttributeType.STRING),
        sort_key=key(name=SORT_KEY, type=aws_dynamodb.AttributeType.STRING),
        billing_mode=aws_dynamodb.BillingMode.PAY_PER_REQUEST,
        time_to_live_attribute=EXPIRY,
        point_in_time_recovery_specification=aws_dynamodb.PointInTimeRecoverySpecification(
            point_in_time_recovery_enabled=True
        ),
        removal_policy=policy,
    )
    acknowledge(table, {"CKV_AWS_119": OWN_KEY})
    return table


class Database(RelationalDatabase):
    """A PostgreSQL 18 database: customers, inventory, rentals, payments, and the outbox of what happened.

    Attributes:
        group: Its security group.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        settings: DataEcosystemSettings,
        network: EcosystemNetwork,
        policy: RemovalPolicy,
    ) -> None:
        self.group = network.server("DatabaseGroup", "PostgreSQL, for jobs alone.")
        super().__init__(
            scope,
            name,
            POSTGRESQL,
            settings,
            database=DATABASE_NAME,
            user="rental",
            secret_description="How to reach PostgreSQL: username, password, host, port, dbname.",  # noqa: S106 - none
            subnets=network.isolated_subnets,
            security_group=self.group.security_group_id,
            policy=policy,
            deletion_protection=False,
        )
        self.instance.apply_removal_policy(_snapshot(policy))
        acknowledge(self.secret, {"CKV_AWS_149": OWN_KEY})
        if not settings.password_rotation_days:
            acknowledge(self.secret, {"SMG4": "Rotation takes a function in the network: password_rotation_days."})
        acknowledge(
            self.instance,
            {
                "RDS3": "A standby is a setting, at twice the cost.",
                "CKV_AWS_157": "A standby is a setting, at twice the cost.",
                "CKV_AWS_118": "RDS's own metrics, one a minute, are what the alarm needs.",
                "CKV_AWS_161": "Jobs have the password from Secrets Manager, by their role.",
                "RDS10": "Removal leaves a final snapshot, so that the network can go and the data stay.",
                "RDS11": "Nothing outside the network reaches the port, whichever it is.",
            },
        )


class Graph(Construct):
    """A Neptune Serverless cluster that holds who rented what; queries are in openCypher and signed with IAM.

    Attributes:
        cluster: The cluster.
        group: Its security group.
        data_arn: The ARN of its data, for permissions.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        settings: DataEcosystemSettings,
        network: EcosystemNetwork,
        policy: RemovalPolicy,
        *,
        loader: aws_iam.Role,
    ) -> None:
        super().__init__(scope, name)
        only_where_offered(self, "AWS::Neptune::DBCluster")
        self.group = network.server("GraphGroup", "Neptune, for jobs and the projector alone.")
        let_out(self, "ToFiles", self.group, EVERYWHERE, port=HTTPS, description="S3, for bulk loads")
        subnets = aws_neptune.CfnDBSubnetGroup(
            self,
            "Subnets",
            db_subnet_group_description="Isolated subnets in two zones.",
            subnet_ids=network.isolated_subnets,
        )
        snapshot = settings.graph_snapshot
        identifier = value_or(self, "GraphSnapshot", snapshot, Aws.NO_VALUE if Token.is_unresolved(snapshot) else "")
        self.cluster = aws_neptune.CfnDBCluster(
            self,
            "Cluster",
            db_subnet_group_name=subnets.ref,
            vpc_security_group_ids=[self.group.security_group_id],
            associated_roles=[aws_neptune.CfnDBCluster.DBClusterRoleProperty(role_arn=loader.role_arn)],
            db_port=GRAPH_PORT,
            iam_auth_enabled=True,
            storage_encrypted=unless_set(self, "GraphSnapshot", snapshot, usual=True),
            snapshot_identifier=identifier or None,
            backup_retention_period=settings.backup_days,
            preferred_backup_window=settings.backup_window,
            preferred_maintenance_window=settings.maintenance_window,
            copy_tags_to_snapshot=True,
            deletion_protection=False,
        )
        if snapshot:
            acknowledge(self.cluster, {"CKV_AWS_44": INHERITED})
        maximum = (
            settings.graph_maximum_capacity
        )  # in a console template, a parameter: text, which the CDK would refuse
        capacity = {"MinCapacity": 1, "MaxCapacity": maximum if Token.is_unresolved(maximum) else float(maximum)}
        self.cluster.add_property_override("ServerlessScalingConfiguration", capacity)
        self.cluster.apply_removal_policy(_snapshot(policy))
        instance = aws_neptune.CfnDBInstance(
            self,
            "Instance",
            db_cluster_identifier=self.cluster.ref,
            db_instance_class="db.serverless",
            auto_minor_version_upgrade=True,
        )
        instance.apply_removal_policy(RemovalPolicy.DESTROY)  # it holds no data: they are the cluster's
        acknowledge(
            self.cluster,
            {
                "CKV_AWS_101": "The audit log would hold every query with what it asks of whom.",
            },
        )
        self.data_arn = (
            f"arn:{Aws.PARTITION}:neptune-db:{Aws.REGION}:{Aws.ACCOUNT_ID}:{self.cluster.attr_cluster_resource_id}/*"
        )

    def permissions(self, *, erase: bool = True) -> aws_iam.PolicyStatement:
        """Return the permission to read, write and delete data by query."""
        actions = ["neptune-db:ReadDataViaQuery", "neptune-db:WriteDataViaQuery"]
        actions += ["neptune-db:DeleteDataViaQuery"] if erase else []
        return aws_iam.PolicyStatement(actions=actions, resources=[self.data_arn])


class Search(Construct):
    """An OpenSearch domain of one small, encrypted node with fine-grained access control; its data can be rebuilt.

    Attributes:
        domain: The domain.
        group: Its security group.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        settings: DataEcosystemSettings,
        network: EcosystemNetwork,
        *,
        administrator: aws_iam.Role,
        writer: aws_iam.Role,
    ) -> None:
        super().__init__(scope, name)
        self.group = network.server("SearchGroup", "OpenSearch, for jobs and the indexer alone.")
        domain = aws_opensearchservice.CfnDomain
        self.domain = domain(
            self,
            "Domain",
            engine_version=aws_opensearchservice.EngineVersion.OPENSEARCH_3_5.version,
            cluster_config=domain.ClusterConfigProperty(instance_type=settings.search_instance_type, instance_count=1),
            ebs_options=domain.EBSOptionsProperty(
                ebs_enabled=True, volume_type="gp3", volume_size=settings.search_storage_gib
            ),
            off_peak_window_options=domain.OffPeakWindowOptionsProperty(
                enabled=True,
                off_peak_window=domain.OffPeakWindowProperty(
                    window_start_time=domain.WindowStartTimeProperty(hours=settings.search_off_peak_hour, minutes=0)
                ),
            ),
            encryption_at_rest_options=domain.EncryptionAtRestOptionsProperty(enabled=True),
            node_to_node_encryption_options=domain.NodeToNodeEncryptionOptionsProperty(enabled=True),
            domain_endpoint_options=domain.DomainEndpointOptionsProperty(
                enforce_https=True, tls_security_policy="Policy-Min-TLS-1-2-PFS-2023-10"
            ),
            # The job's role administers; it maps the indexer's to a role that may write movies and nothing else.
            advanced_security_options=domain.AdvancedSecurityOptionsInputProperty(
                enabled=True,
                internal_user_database_enabled=False,
                master_user_options=domain.MasterUserOptionsProperty(master_user_arn=administrator.role_arn),
            ),
            vpc_options=domain.VPCOptionsProperty(
                subnet_ids=network.isolated_subnets[:1], security_group_ids=[self.group.security_group_id]
            ),
            access_policies={
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"AWS": [administrator.role_arn, writer.role_arn]},
                        "Action": ["es:ESHttpGet", "es:ESHttpHead", "es:ESHttpPost", "es:ESHttpPut"],
                        "Resource": f"arn:{Aws.PARTITION}:es:{Aws.REGION}:{Aws.ACCOUNT_ID}:domain/*",
                    }
                ],
            },
        )
        # Without this, CloudFormation replaces the domain for another version of OpenSearch.
        self.domain.cfn_options.update_policy = CfnUpdatePolicy(enable_version_upgrade=True)
        self.domain.apply_removal_policy(RemovalPolicy.DESTROY)  # one command rebuilds it from the film library
        acknowledge(
            self.domain,
            {
                "CKV_AWS_317": "Two roles use it; CloudTrail and the functions' logs tell what they did.",
                "CKV_AWS_84": "Slow logs would cost more than they tell of a catalogue of films.",
                "OS3": "Two roles are let in, by name, and only from inside the network.",
                "OS4": "One node: no masters beside it.",
                "OS7": "One node: a second zone would double the idle cost, and the index can be rebuilt.",
                **dict.fromkeys(
                    ("OS9[LogExport::SEARCH_SLOW_LOGS]", "OS9[LogExport::INDEX_SLOW_LOGS]"),
                    "Slow logs would cost more than they tell of a catalogue of films.",
                ),
            },
        )
        if settings.search_service_role:
            self._service_role(settings.search_service_role)

    def _service_role(self, create: bool) -> None:
        """Make the account's role for OpenSearch; in a console template, only if the parameter `create` says so."""
        role = aws_iam.CfnServiceLinkedRole(self, "LinkedRole", aws_service_name="opensearchservice.amazonaws.com")
        role.apply_removal_policy(RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE)  # it is the account's
        self.domain.node.add_dependency(role)
        if Token.is_unresolved(create):
            chosen = Fn.condition_equals(create, "true")
            role.cfn_options.condition = CfnCondition(Stack.of(self), "CreatesSearchServiceRole", expression=chosen)
            # CloudFormation drops a dependency on what is not created.
            self.domain.add_metadata("cfn-lint", {"config": {"ignore_checks": ["E3005"]}})


def _snapshot(policy: RemovalPolicy) -> RemovalPolicy:
    """Keep data that stay as a final snapshot: an engine left behind would prevent the deletion of its network.

    CloudFormation also takes a snapshot, of an empty engine, when it rolls back a failed first deployment.
    """
    return RemovalPolicy.DESTROY if policy is RemovalPolicy.DESTROY else RemovalPolicy.SNAPSHOT
