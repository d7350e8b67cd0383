"""The versions and aliases that requests name, and the policies of aliases.

moto gaps: an alias has no policy of its own, and a version shares that of its function.
"""

from __future__ import annotations

from typing import Any

from moto.awslambda.exceptions import InvalidParameterValueException
from moto.awslambda.models import LambdaAlias, LambdaBackend
from moto.awslambda.policy import Policy

from localcloud.access import function_names
from localcloud.access.function_names import FunctionName
from localcloud.hooks import after

LATEST = "$LATEST"


@after(LambdaAlias, "__init__")
def _created(_: None, alias: Any, *_args: Any, **_kwargs: Any) -> None:
    """Give an alias the members by which moto's policies know a function."""
    alias.function_arn = alias.arn
    alias.policy = Policy(alias)


def named(function_name: str, qualifier: str | None = None) -> FunctionName:
    """Return what a request names, with the qualifier beside the name or behind it.

    Args:
        function_name: A name, an ARN or the end of one, which a version or an alias may follow.
        qualifier: A version or an alias; None or empty if the request has no parameter for it.

    Raises:
        InvalidParameterValueException: The request names two different qualifiers.
    """
    read = function_names.read(function_name)
    if qualifier and read.qualifier not in {"", qualifier}:
        raise InvalidParameterValueException(
            "The derived qualifier from the function name does not match the specified qualifier."
        )
    return FunctionName(read.name, qualifier or read.qualifier)


def find(backend: LambdaBackend, target: FunctionName) -> Any:
    """Return moto's function or alias, which has a policy.

    Raises:
        UnknownAliasException: There is no such alias.
        UnknownFunctionException: There is no such function or version.
    """
    if not target.qualifier or target.qualifier == LATEST or target.qualifier.isdecimal():
        return backend.get_function(target.name, target.qualifier or None)
    return backend.get_alias(target.qualifier, target.name)
