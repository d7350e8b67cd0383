"""Errors of Secrets Manager in the form in which it answers them.

moto gaps: a secret that is not there is answered with 404, and the text of an error has a member of another name.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from moto.secretsmanager.exceptions import SecretsManagerClientError

from localcloud.hooks import after


@after(SecretsManagerClientError, "__init__")
def _made(_: None, error: SecretsManagerClientError, *_args: Any, **_kwargs: Any) -> None:
    error.code = HTTPStatus.BAD_REQUEST
    error.description = json.dumps({"__type": error.error_type, "Message": error.message})
