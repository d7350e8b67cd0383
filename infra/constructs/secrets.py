"""A secret with the login of a database."""

from __future__ import annotations

from aws_cdk import RemovalPolicy, aws_secretsmanager
from constructs import Construct

PASSWORD_LENGTH = 40


def login(scope: Construct, *, user: str, description: str, policy: RemovalPolicy) -> aws_secretsmanager.Secret:
    """Make the secret `Access` with a user's name and a password that Secrets Manager chooses.

        secret = login(self, user="rental", description="How to reach PostgreSQL.", policy=policy)
        ... master_user_password=secret.secret_value_from_json("password").unsafe_unwrap()

    The template refers to the password and does not hold it.

    Args:
        scope: Where it stands.
        user: The name.
        description: What the secret is for.
        policy: What becomes of it when its stack goes.
    """
    return aws_secretsmanager.Secret(
        scope,
        "Access",
        description=description,
        generate_secret_string=aws_secretsmanager.SecretStringGenerator(
            secret_string_template=f'{{"username": "{user}"}}',
            generate_string_key="password",
            exclude_punctuation=True,
            password_length=PASSWORD_LENGTH,
        ),
        removal_policy=policy,
    )
