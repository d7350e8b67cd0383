"""The token with which a stack's programs write to its InfluxDB and ask it, made when the stack is created."""

from __future__ import annotations

import json
from collections.abc import Mapping

from aws_cdk import CustomResource, Duration, RemovalPolicy, aws_ec2, aws_iam, aws_secretsmanager
from constructs import Construct

from contract.timeseries import INFLUXDB_PORT
from infra.constructs.functions import Function, InNetwork
from infra.constructs.security_groups import let_reach, security_group
from infra.guardrails import acknowledge

#: How long the token may take: InfluxDB may not answer yet when CloudFormation says that it is there.
_TOKEN_SECONDS = 300
#: What reading and writing secrets and answering CloudFormation may take besides.
_MORE_SECONDS = 120
_TOKEN_LENGTH = 64


class InfluxDBToken(Construct):
    """A secret with a token for the buckets of a stack, and the two functions that make and rotate it.

        token = InfluxDBToken(
            self, "Token", endpoint=influxdb.attr_endpoint, organization="groundwork", buckets={"devops": 0},
            admin=secret, server=server, vpc=vpc, subnet_ids=subnets, log_retention_days=90,
            log_policy=self.policy, policy=self.policy,
        )
        token.secret.grant_read(role)

    One function runs in the network and reaches only InfluxDB; the other one runs outside, reads the password of the
    first user, keeps the token and answers CloudFormation. So the network needs no way to AWS, and nothing in it can
    keep CloudFormation waiting.

    Attributes:
        secret: Holds `bucket` and `token`.
        made: The custom resource; what depends on it finds a token in the secret.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        endpoint: str,
        organization: str,
        buckets: Mapping[str, int],
        admin: aws_secretsmanager.Secret,
        server: aws_ec2.SecurityGroup,
        vpc: aws_ec2.IVpc,
        subnet_ids: list[str],
        log_retention_days: int,
        log_policy: RemovalPolicy,
        policy: RemovalPolicy,
    ) -> None:
        """Make the secret, and have the token made.

        Args:
            scope: Where it stands.
            name: Its construct's name.
            endpoint: Host name of InfluxDB.
            organization: InfluxDB's organization.
            buckets: What the token reads and writes: by name, how many days each keeps points; 0 leaves that as it is.
                The first is the one that the secret names.
            admin: Holds name and password of InfluxDB's first user.
            server: InfluxDB's security group.
            vpc: InfluxDB's network.
            subnet_ids: InfluxDB's subnets.
            log_retention_days: How long the functions' logs are kept.
            log_policy: What becomes of their logs when the stack goes.
            policy: What becomes of the secret when the stack goes.
        """
        super().__init__(scope, name)
        bucket = next(iter(buckets))
        self.secret = aws_secretsmanager.Secret(
            self,
            "Secret",
            description="Token for InfluxDB; the function that the stack calls Keeper rotates it.",
            generate_secret_string=aws_secretsmanager.SecretStringGenerator(  # until there is a token
                secret_string_template=f'{{"bucket": "{bucket}"}}',
                generate_string_key="token",
                exclude_punctuation=True,
                password_length=_TOKEN_LENGTH,
            ),
            removal_policy=policy,
        )
        acknowledge(
            self.secret,
            {
                "SMG4": "The function Keeper rotates it when it is called; writers keep a valid token meanwhile.",
                "CKV_AWS_149": "Encrypted under Secrets Manager's own key; only this account reads it.",
            },
        )
        group = security_group(self, "Group", vpc, "The function influxdb_token: no way in; out to InfluxDB.")
        maker = Function(
            self,
            "Maker",
            folder="influxdb_token",
            description="Makes a token for buckets of InfluxDB, and the buckets.",
            environment={"INFLUXDB_ENDPOINT": endpoint, "ORGANIZATION": organization, "BUCKETS": json.dumps(buckets)},
            log_retention_days=log_retention_days,
            policy=log_policy,
            timeout_seconds=_TOKEN_SECONDS,
            network=InNetwork(vpc, group, subnet_ids),
        )
        let_reach(self, "InfluxDB", source=group, target=server, port=INFLUXDB_PORT, service="InfluxDB", client="Maker")
        keeper = Function(
            self,
            "Keeper",
            folder="influxdb_access",
            description="Keeps InfluxDB's token in its secret, and rotates it.",
            environment={
                "ADMIN_SECRET": admin.secret_arn,
                "TOKEN_SECRET": self.secret.secret_arn,
                "TOKEN_FUNCTION": maker.function_name,
                "TOKEN_SECONDS": str(_TOKEN_SECONDS + 10),
                "BUCKET": bucket,
            },
            log_retention_days=log_retention_days,
            policy=log_policy,
            timeout_seconds=_TOKEN_SECONDS + _MORE_SECONDS,
        )
        for action, resource in (
            ("secretsmanager:GetSecretValue", admin.secret_arn),
            ("secretsmanager:PutSecretValue", self.secret.secret_arn),
            ("lambda:InvokeFunction", maker.function_arn),
        ):
            keeper.permissions.add_to_policy(aws_iam.PolicyStatement(actions=[action], resources=[resource]))
        self.token = CustomResource(
            self,
            "Made",
            resource_type="Custom::InfluxDBToken",
            service_token=keeper.function_arn,
            service_timeout=Duration.seconds(_TOKEN_SECONDS + 2 * _MORE_SECONDS),
            # Where one of these is another one, it needs another token.
            properties={"Endpoint": endpoint, "Bucket": bucket, "Secret": self.secret.secret_arn}
            | ({"Buckets": json.dumps(buckets)} if len(buckets) > 1 else {}),
        )
        ways = [child for child in self.node.children if child not in {self.token, self.secret}]
        self.token.node.add_dependency(*ways)
