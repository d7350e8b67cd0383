"""AWS's own host names, which templates write themselves, of what a cloud serves at addresses of its own."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from localcloud.cloud.account import REGION
from localcloud.cloud.context import Cloud

#: The host of an API of API Gateway, in a URL.
_API = re.compile(rf"https://(?P<api>\w+)\.execute-api\.{re.escape(REGION)}\.amazonaws\.com(?![\w.-])")


@dataclass
class Apis:
    """The addresses of the APIs of API Gateway.

    Attributes:
        by_id: ``http://localhost:PORT``, by the API's id.
    """

    by_id: dict[str, str] = field(default_factory=dict)


def localized(cloud: Cloud, text: str) -> str:
    """Return a text whose URLs of APIs of this cloud lead to it, as the CDK's output ``ApiEndpoint`` is meant to."""
    addresses = cloud.state(Apis).by_id
    return _API.sub(lambda match: addresses.get(match["api"], match[0]), text)
