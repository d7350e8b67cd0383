"""Define the web application: its servers, its database, its files, and its monitoring."""

from __future__ import annotations

from collections.abc import Callable

from aws_cdk import Aws, CfnCondition, Fn, aws_ec2, aws_iam, aws_s3, aws_secretsmanager
from constructs import Construct

from contract.metrics import Namespace
from contract.stacks import WebAppOutput
from infra.constructs.bucket import abandoned_uploads, private_bucket, replaced_versions
from infra.constructs.bundle import CodeBundle
from infra.constructs.logs import log_group
from infra.constructs.permissions import put_metrics
from infra.guardrails import acknowledge
from infra.parameters import is_chosen, only_if, value_or
from infra.settings.web_app import WebAppSettings
from infra.stack import GroundworkStack
from infra.web_app import servers
from infra.web_app.database import Database
from infra.web_app.monitoring import WATCHED, alarms, dashboard
from infra.web_app.network import WebNetwork, open_ssh
from infra.web_app.servers import Servers

#: How long replaced versions of posters and static files are kept.
REPLACED_ASSET_DAYS = 30


class WebApp(GroundworkStack):
    """A stack of three tiers: Apache and the application on EC2, MySQL on RDS, files in S3."""

    DESCRIPTION = "A web application: Apache on EC2, MySQL on RDS, files in S3, dashboard and alarms."
    SECTION = "web_app"
    settings: WebAppSettings

    def build(self) -> None:
        """Make the network, the database, the servers and their monitoring."""
        self.heading("The network: public subnets for instances, isolated ones for the database.")
        self.network = WebNetwork(self, "Network", self.settings, self.policy)
        self.heading("The database, and its password in a secret.")
        self.database = Database(self, "Database", self.settings, self.network, self.policy)
        self.heading("Posters and static files, what the site signs with, and what it logs.")
        self.assets = self._assets()
        self.session = self._session_secret()
        self.logs = log_group(self, "Logs", self.settings.log_retention_days, self.policy)
        self.heading("How an instance is launched, what it may do, and how it becomes the site.")
        self.is_single, self.is_balanced = is_chosen(self, self.settings.certificate_arn, "", name="Single")
        self.address = self._address()
        self.launched, self.profile = self._template()
        address, metrics = self._servers()
        self.heading("Whom to tell, and when.")
        watches = alarms(self.topic, self.settings, metrics, self.database.instance.ref)
        board = dashboard(self, metrics, self.database.instance.ref)

        self.output(WebAppOutput.SITE_URL, f"https://{address}/", "Where the site is.")
        self.output(WebAppOutput.DATABASE_ENDPOINT, self.database.instance.attr_endpoint_address, "Host name of MySQL.")
        self.output(WebAppOutput.DATABASE_PORT, self.database.instance.attr_endpoint_port, "Port of MySQL.")
        self.output(
            WebAppOutput.DATABASE_SECRET_ARN, self.database.secret.secret_arn, "Secret with how to reach MySQL."
        )
        self.output(
            WebAppOutput.SESSION_SECRET_ARN, self.session.secret_arn, "Secret that signs cookies and form tokens."
        )
        self.output(WebAppOutput.ASSETS_BUCKET_NAME, self.assets.bucket_name, "Holds posters and static files.")
        self.output(WebAppOutput.LOG_GROUP_NAME, self.logs.log_group_name, "Holds what the site and its instances log.")
        self.output_topic()
        self.output(WebAppOutput.DASHBOARD_NAME, board.ref, "The metrics in CloudWatch.")
        for alarm_name, metric_alarm in watches.items():
            self.output(f"{alarm_name}Name", metric_alarm.ref, f"The alarm on {WATCHED[alarm_name]}.")

    def _assets(self) -> aws_s3.Bucket:
        return private_bucket(
            self,
            "Assets",
            policy=self.policy,
            why_no_access_log="Only the instances read it, and the application logs every request that they answer.",
            rules=[replaced_versions(REPLACED_ASSET_DAYS), abandoned_uploads()],
            versioned=True,
        )

    def _session_secret(self) -> aws_secretsmanager.Secret:
        secret = aws_secretsmanager.Secret(
            self,
            "Session",
            description="Signs the storefront's cookies and form tokens.",
            generate_secret_string=aws_secretsmanager.SecretStringGenerator(
                password_length=64, exclude_punctuation=True
            ),
            removal_policy=self.policy,
        )
        acknowledge(
            secret,
            {
                "SMG4": "Another one would end every visitor's session; change it when it leaked.",
                "CKV_AWS_149": "Encrypted under AWS's own key, which only this account can use.",
            },
        )
        return secret

    def _template(self) -> tuple[aws_ec2.CfnLaunchTemplate, aws_iam.InstanceProfile]:
        """Make the launch template of either mode; its script knows what to signal and which proxy to trust."""
        code = CodeBundle(self, "CodeBundle", self.settings.code)
        environment = {
            "AWS_REGION": Aws.REGION,
            "STACK": Aws.STACK_NAME,
            "RESOURCE": self._either(servers.INSTANCE, servers.GROUP),
            "CODE": code.url,
            "SITE_NAME": self._site_name(),
            "TRUSTED_PROXY": self._either("", self.network.cidr),
            "STOREFRONT_DATABASE_SECRET": self.database.secret.secret_arn,
            "STOREFRONT_SESSION_SECRET": self.session.secret_arn,
            "STOREFRONT_BUCKET": self.assets.bucket_name,
            "STOREFRONT_LOG_GROUP": self.logs.log_group_name,
        }
        permissions = [
            code.reading(),
            aws_iam.PolicyStatement(actions=["s3:ListBucket"], resources=[self.assets.bucket_arn]),
            aws_iam.PolicyStatement(actions=["s3:GetObject"], resources=[self.assets.arn_for_objects("*")]),
            aws_iam.PolicyStatement(
                actions=["secretsmanager:GetSecretValue"],
                resources=[self.database.secret.secret_arn, self.session.secret_arn],
            ),
            aws_iam.PolicyStatement(
                actions=["logs:CreateLogStream", "logs:PutLogEvents"], resources=[self.logs.log_group_arn]
            ),
            put_metrics(Namespace.STOREFRONT),
        ]
        key = open_ssh(self, self.network.instances, self.settings)
        launched, profile = servers.template(
            self, self.settings, self.network, environment=environment, permissions=permissions, key_name=key
        )
        assert profile.role  # noqa: S101 - for the type checker
        acknowledge(
            profile.role,
            {
                "IAM5[Resource::*]": "Metrics know no resource; the namespace confines the permission.",
                "IAM5[Resource::<Assets.Arn>/*]": "Every object of the bucket is the site's to show.",
            },
        )
        return launched, profile

    def _address(self) -> aws_ec2.CfnEIP | None:
        """Make the address of the single instance, if that mode can be chosen."""
        if self.is_single is False:
            return None
        address = servers.elastic_address(self)
        if isinstance(self.is_single, CfnCondition):
            only_if(self.is_single, [address])
        return address

    def _site_name(self) -> str:
        """Return the host that HTTP redirects to; empty behind a load balancer, which redirects by itself."""
        chosen = self.settings.host_name
        single = value_or(self, "HostName", chosen, self.address.ref) if self.address else ""
        return self._either(single, value_or(self, "HostName", chosen, ""))

    def _servers(self) -> tuple[str, tuple[str, str]]:
        """Make the servers, and return the address of the site and the dimension of its instances' metrics."""
        modes = (
            self._mode(self.is_single, self._single, "One instance with an address of its own.", "InstanceId"),
            self._mode(self.is_balanced, servers.balanced, "Instances behind a load balancer.", "AutoScalingGroupName"),
        )
        single, balanced = (mode or alternative for mode, alternative in zip(modes, reversed(modes), strict=True))
        assert single  # noqa: S101 - for the type checker
        assert balanced  # noqa: S101 - for the type checker
        if single is balanced:
            return single.address, single.metrics
        name, value = (
            self._either(of_single, of_balanced)
            for of_single, of_balanced in zip(single.metrics, balanced.metrics, strict=True)
        )
        return self._either(single.address, balanced.address), (name, value)

    def _single(
        self, scope: Construct, settings: WebAppSettings, network: WebNetwork, launched: aws_ec2.CfnLaunchTemplate
    ) -> Servers:
        """Make a single instance, with the address that its script knows."""
        assert self.address  # noqa: S101 - for the type checker
        return servers.single(scope, settings, network, launched, self.address)

    def _mode(
        self, condition: bool | CfnCondition, build: Callable[..., Servers], title: str, output: str
    ) -> Servers | None:
        """Build a mode if it is chosen; in a console template, build it under the condition that it is chosen."""
        if condition is False:
            return None
        self.heading(title)
        before = len(self.node.children)
        mode = build(self, self.settings, self.network, self.launched)
        assert self.profile.role  # noqa: S101 - for the type checker
        mode.resource.node.add_dependency(self.database.attachment, self.profile.role, *self.network.routes)
        self.output(output, mode.metrics[1], f"{title} Session Manager gives a shell.")
        if isinstance(condition, CfnCondition):
            only_if(condition, self.node.children[before:])
        return mode

    def _either(self, single: str, balanced: str) -> str:
        """Return the value for one instance or for several; in a console template, a choice between them."""
        if isinstance(self.is_single, CfnCondition):
            return Fn.condition_if(self.is_single.logical_id, single, balanced).to_string()
        return single if self.is_single else balanced
