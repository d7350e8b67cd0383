"""How properties of CloudFormation become parameters of AWS Secrets Manager, where more than a name differs."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from localcloud.cloud.context import Cloud
from localcloud.cloudformation.translation import Properties, without_empty


def secret(cloud: Cloud, values: Properties) -> Properties:
    """Generate the value of a secret that asks for it."""
    if generator := values.pop("GenerateSecretString", None):
        settings = json.dumps(generator, sort_keys=True)
        generated, key = cloud.state(Generated).values, (values["Name"], settings)
        if key not in generated:
            generated[key] = _generated(cloud, settings)
        values["SecretString"] = generated[key]
    return values


def secret_attachment(cloud: Cloud, values: Properties) -> Properties:
    """Write into the secret how to reach the database, beside its credentials, as AWS does.

    Raises:
        ValueError: The target is not a database instance.
    """
    kind, target = values.pop("TargetType"), values.pop("TargetId")
    if kind != "AWS::RDS::DBInstance":
        raise ValueError(f"property TargetType: {kind} is not supported by the local cloud")
    database = cloud.client("rds").describe_db_instances(DBInstanceIdentifier=target)["DBInstances"][0]
    access = {
        "engine": database["Engine"],
        "host": database["Endpoint"]["Address"],
        "port": database["Endpoint"]["Port"],
        "dbInstanceIdentifier": target,
    } | without_empty(dbname=database.get("DBName"))
    current = cloud.client("secretsmanager").get_secret_value(SecretId=values["SecretId"])["SecretString"]
    return {**values, "SecretString": json.dumps(json.loads(current) | access)}


@dataclass
class Generated:
    """The values that were generated, by a secret's name and settings: an update with the same settings keeps them."""

    values: dict[tuple[str, str], str] = field(default_factory=dict)


def _generated(cloud: Cloud, generator: str) -> str:
    options = json.loads(generator)
    template, key = options.pop("SecretStringTemplate", "{}"), options.pop("GenerateStringKey", None)
    password: str = cloud.client("secretsmanager").get_random_password(
        **{name: int(item) if name == "PasswordLength" else item for name, item in options.items()}
    )["RandomPassword"]
    return json.dumps({**json.loads(template), key: password}) if key else password
