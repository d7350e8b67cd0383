"""Dynamic references: values of secrets and parameters that a template names and does not hold.

moto gap: it takes them for text.
"""

from __future__ import annotations

import json
import re
from functools import partial
from typing import Any

from localcloud.cloud.context import Cloud

#: CloudFormation's mark, in change sets, of a value that a new resource will have.
KNOWN_AFTER_APPLY = "{{changeSet:KNOWN_AFTER_APPLY}}"
REFERENCE = re.compile(r"\{\{resolve:(secretsmanager|ssm-secure|ssm):([^}]+)\}\}")
SECRET = re.compile(r"(?P<secret>.+?)(:SecretString(:(?P<key>[^:]*)(:.*)?)?)?")


def resolved(cloud: Cloud, value: Any) -> Any:
    """Return the value with every reference in its texts replaced by what it refers to.

    Raises:
        ValueError: A secret has no such key.
    """
    if isinstance(value, dict):
        return {key: resolved(cloud, item) for key, item in value.items()}
    if isinstance(value, list):
        return [resolved(cloud, item) for item in value]
    return REFERENCE.sub(partial(_looked_up, cloud), value) if isinstance(value, str) else value


def _looked_up(cloud: Cloud, reference: re.Match[str]) -> str:
    service, place = reference.groups()
    if place.startswith(KNOWN_AFTER_APPLY.rstrip("}")):
        return reference[0]
    if service != "secretsmanager":  # a parameter, with or without a version
        parameter = cloud.client("ssm").get_parameter(Name=place, WithDecryption=True)[
            "Parameter"
        ]  # NAME or NAME:VERSION
        return str(parameter["Value"])
    match = SECRET.fullmatch(place)
    name, key = (match["secret"], match["key"]) if match else (place, None)
    content = str(cloud.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"])
    if not key:
        return content
    fields = json.loads(content)
    if key not in fields:
        raise ValueError(f"the secret {name} has no key {key}")
    return str(fields[key])
