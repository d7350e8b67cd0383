"""Define the stack of a film rental company: engines for its data, and functions that keep them in step."""

from __future__ import annotations

from aws_cdk import Aws, aws_ec2, aws_iam
from constructs import Construct

from contract.stacks import DataEcosystemOutput
from infra.constructs.security_groups import HTTPS, let_reach
from infra.data_ecosystem.bulk_loads import BulkLoads
from infra.data_ecosystem.engines import (
    DATABASE_PORT,
    GRAPH_PORT,
    Database,
    Graph,
    Search,
    dead_letter_table,
    movie_table,
)
from infra.data_ecosystem.job import Jobs
from infra.data_ecosystem.monitoring import Monitoring, dashboard
from infra.data_ecosystem.network import EcosystemNetwork
from infra.data_ecosystem.projections import Projections, Queues
from infra.data_ecosystem.trends import Trends
from infra.guardrails import acknowledge
from infra.parameters import only_if_set
from infra.settings.data_ecosystem import DataEcosystemSettings
from infra.stack import GroundworkStack


class DataEcosystem(GroundworkStack):
    """A stack of film library, ledger, graph, search and trends, with what fills and watches them."""

    DESCRIPTION = (
        "A film rental company's data: DynamoDB, PostgreSQL, Neptune, OpenSearch and Timestream, kept in step."
    )
    SECTION = "data_ecosystem"
    settings: DataEcosystemSettings

    def build(self) -> None:
        """Make the engines, the functions and jobs that fill them, and their monitoring."""
        self._engines()
        self._functions()
        self._jobs()
        self._tell()

    def _engines(self) -> None:
        settings, policy = self.settings, self.policy
        self.heading("The network: no NAT gateway, nothing comes in.")
        self.network = EcosystemNetwork(self, "Network", settings, policy)
        self.heading("The film library: free-form, fast by its keys and two indexes, with a stream of its changes.")
        self.movies = movie_table(self, policy, settings.movies_stream_arn)
        self.dead_letters = dead_letter_table(self, policy)
        self.output(DataEcosystemOutput.MOVIES_TABLE_NAME, self.movies.table_name, "The film library.")
        self.output(
            DataEcosystemOutput.DEAD_LETTERS_TABLE_NAME,
            self.dead_letters.table_name,
            "What functions gave up, with its reason.",
        )
        self.heading("Customers, rentals, payments: relational, exact, transactional.")
        self.database = Database(self, "Ledger", settings, self.network, policy)
        self.heading("Files that Neptune and DynamoDB load.")
        self.bulk_loads = BulkLoads(self, "BulkLoads", policy)
        self.output(
            DataEcosystemOutput.BULK_LOAD_BUCKET_NAME,
            self.bulk_loads.bucket.bucket_name,
            "Files go here that Neptune and DynamoDB load.",
        )
        self.heading("Who rented what.")
        loader = self.bulk_loads.graph_role
        self.graph = Graph(self, "Graph", settings, self.network, policy, loader=loader)
        self.output(
            DataEcosystemOutput.GRAPH_LOADER_ROLE_ARN, loader.role_arn, "The role by which Neptune reads these files."
        )
        self.heading("Trends.")
        self.trends = Trends(self, "Trends", settings, self.network, policy)
        for name, value, description in self.trends.outputs:
            self.output(name, value, description)

    def _functions(self) -> None:
        settings, network = self.settings, self.network
        self.heading("What keeps search, graph and trends in step.")
        self.queues = Queues(self, "Queues", self.policy)
        indexer = network.client("IndexerGroup", "The function catalog_indexer: no way in.")
        self.projector_group = network.client("ProjectorGroup", "The function rental_projector: no way in.")
        self.projections = Projections(
            self,
            settings,
            self.queues,
            self.dead_letters,
            self.policy,
            indexer=network.inside(indexer),
            projector=network.inside(self.projector_group),
        )
        self.indexer_group = indexer
        self.output(
            DataEcosystemOutput.RENTAL_EVENTS_QUEUE_URL,
            self.queues.rentals.queue_url,
            "Events of rentals go here, by customer.",
        )

    def _jobs(self) -> None:
        settings, network = self.settings, self.network
        self.heading("Where the commands run: Fargate, for as long as a job takes.")
        self.jobs = Jobs(self, "Jobs", settings, network, self.policy)
        self.queue, definition = self.jobs.define()
        self.heading("Search, which the jobs administer and the indexer writes to.")
        self.search = Search(
            self,
            "Search",
            settings,
            network,
            administrator=self.jobs.role,
            writer=self.projections.indexer.permissions,
        )
        self.heading("Who reaches what.")
        self._connect()
        self._permit()
        self.projections.follow_library(self.movies)
        self.projections.follow_rentals()
        database, graph, search = self.database.instance, self.graph.cluster, self.search.domain
        self.output(DataEcosystemOutput.DATABASE_ENDPOINT, database.attr_endpoint_address, "Host name of PostgreSQL.")
        self.output(DataEcosystemOutput.DATABASE_PORT, database.attr_endpoint_port, "Port of PostgreSQL.")
        self.output(
            DataEcosystemOutput.DATABASE_SECRET_ARN,
            self.database.secret.secret_arn,
            "Secret with PostgreSQL's user and password.",
        )
        self.output(
            DataEcosystemOutput.GRAPH_ENDPOINT, f"https://{graph.attr_endpoint}:{graph.attr_port}", "Neptune's address."
        )
        self.output(
            DataEcosystemOutput.SEARCH_ENDPOINT, f"https://{search.attr_domain_endpoint}", "OpenSearch's address."
        )
        writer = self.projections.indexer.permissions.role_arn
        self.output(
            DataEcosystemOutput.SEARCH_WRITER_ROLE_ARN, writer, "The role to which jobs give the right to write movies."
        )
        self.output(DataEcosystemOutput.JOB_QUEUE_ARN, self.queue.attr_job_queue_arn, "Submit jobs here.")
        self.output(DataEcosystemOutput.JOB_DEFINITION_ARN, definition.ref, "Job definition: movie-rental TASK.")
        self.output(DataEcosystemOutput.LOG_GROUP_NAME, self.jobs.logs.log_group_name, "Holds what jobs print.")

    def _connect(self) -> None:
        """Open the ways through the network, each on one port for one kind of client."""
        job, indexer, projector = self.jobs.group, self.indexer_group, self.projector_group
        ways = [
            ("Job", job, "Database", self.database.group, DATABASE_PORT),
            ("Job", job, "Graph", self.graph.group, GRAPH_PORT),
            ("Job", job, "Search", self.search.group, HTTPS),
            ("Indexer", indexer, "Search", self.search.group, HTTPS),
            ("Projector", projector, "Graph", self.graph.group, GRAPH_PORT),
        ]
        rotation: aws_ec2.SecurityGroup | None = None
        if days := self.settings.password_rotation_days:
            rotation = self.network.client("RotationGroup", "The function that changes the password: no way in.")
            ways += [("Rotation", rotation, "Database", self.database.group, DATABASE_PORT)]
        for client, source, name, target, port in ways:
            way = Construct(self, f"{client}To{name}")
            let_reach(way, name, source=source, target=target, port=port, service=name, client=client)
        endpoint = self.trends.let_in(rotation, Job=job, Projector=projector)
        if rotation:
            subnets = self.network.isolated_subnets
            self.database.rotate_password(days, group=rotation, subnets=subnets, after=endpoint)
        if self.settings.source_cidr:
            only_if_set(self.jobs.let_read_source(), self.settings.source_cidr)

    def _permit(self) -> None:
        """Grant each role its permissions on the engines."""
        role, settings = self.jobs.role, self.settings
        projector, indexer = self.projections.projector, self.projections.indexer
        self.movies.grant(
            role,
            "dynamodb:BatchGetItem",
            "dynamodb:BatchWriteItem",
            "dynamodb:DeleteItem",
            "dynamodb:PartiQLSelect",
            "dynamodb:PutItem",
            "dynamodb:Query",
            "dynamodb:Scan",
        )
        self.database.secret.grant_read(role)
        role.add_to_policy(self.graph.permissions())
        projector.permissions.add_to_policy(self.graph.permissions())
        self.bulk_loads.permit(role, library=self.movies, graph=self.graph)
        self.queues.rentals.grant_send_messages(role)
        model = f"arn:{Aws.PARTITION}:bedrock:{Aws.REGION}::foundation-model/{settings.embedding_model}"
        role.add_to_policy(aws_iam.PolicyStatement(actions=["bedrock:InvokeModel"], resources=[model]))
        search = f"{self.search.domain.attr_arn}/*"
        calls = [f"es:ESHttp{method}" for method in ("Get", "Head", "Post", "Put")]
        role.add_to_policy(aws_iam.PolicyStatement(actions=calls, resources=[search]))
        writing = aws_iam.PolicyStatement(actions=["es:ESHttpHead", "es:ESHttpPost"], resources=[search])
        indexer.permissions.add_to_policy(writing)
        self.trends.permit(job=role, projector=projector.permissions)
        everything = "Its data have no ARNs of their own."
        cluster = "<AWS::Region>:<AWS::AccountId>:<GraphCluster.ClusterResourceId>"
        graph_data = f"IAM5[Resource::arn:<AWS::Partition>:neptune-db:{cluster}/*]"
        search_data = "IAM5[Resource::<SearchDomain.Arn>/*]"
        indexes = {"IAM5[Resource::<Movies.Arn>/index/*]": "The table's two indexes."}
        acknowledge(role, {search_data: everything, graph_data: everything, **indexes})
        acknowledge(projector.permissions, {graph_data: everything})
        acknowledge(indexer.permissions, {search_data: everything})
        indexer.add_environment("SEARCH_ENDPOINT", f"https://{self.search.domain.attr_domain_endpoint}")
        graph = self.graph.cluster
        projector.add_environment("GRAPH_ENDPOINT", f"https://{graph.attr_endpoint}:{graph.attr_port}")
        for name, value in self.trends.environment.items():
            projector.add_environment(name, value)

    def _tell(self) -> None:
        self.heading("Whom to tell, and when.")
        monitoring = Monitoring(self.topic, f"Groundwork/{Aws.STACK_NAME}")
        monitoring.functions(self.projections, self.queues)
        monitoring.engines(self.database, self.graph, self.search)
        monitoring.jobs(self.queue)
        board = dashboard(
            self,
            self.projections,
            self.queues,
            table=self.movies.table_name,
            database=self.database,
            graph=self.graph,
            search=self.search,
        )
        self.output_topic()
        self.output(DataEcosystemOutput.DASHBOARD_NAME, board.ref, "Engines and functions in CloudWatch.")
