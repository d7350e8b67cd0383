"""Environments: the same stacks several times in an account, each under a name and with settings of its own.

The stack `WebApp` of the environment `dev` is deployed as `WebApp-dev`. The settings of an environment stand in
`environments/NAME.json` beside cdk.json; they hold before those of cdk.json, and the command line holds before both.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from contract.errors import phrase
from infra.config import Config, ConfigError

FOLDER = Path("environments")
"""Where the files of environments are, in the project's folder."""
KEY = "environment"
"""The key of the CDK's context that names the environment, or several of them."""


def deployed_name(stack: str, environment: str) -> str:
    """Return the name under which an environment deploys a stack: `WebApp-dev`, or `WebApp` without an environment."""
    return f"{stack}-{environment}" if environment else stack


def split(name: str) -> tuple[str, str]:
    """Return the stack and the environment of a deployed name: `WebApp-dev` is of `WebApp` and `dev`."""
    stack, _, environment = name.partition("-")
    return stack, environment


def usual(folder: Path = Path()) -> dict[str, Any]:
    """Return the CDK context of cdk.json in a folder; empty where there is no such file.

    Raises:
        ConfigError: The file cannot be read.
    """
    context: dict[str, Any] = _read(folder / "cdk.json").get("context", {})
    if not isinstance(context, dict):
        raise ConfigError(f'{(folder / "cdk.json").resolve()}: "context" is not an object of settings.')
    return context


def names(context: Mapping[str, Any]) -> list[str]:
    """Return the environments that a context names, one or a list of them; [""] where it names none.

    Raises:
        ConfigError: One is named twice.
    """
    value = context.get(KEY) or ""
    environments = [name.strip() for name in value.split(",")] if isinstance(value, str) else [*map(str, value)]
    if len({*environments}) < len(environments):
        raise ConfigError(f'Setting "{KEY}": {", ".join(environments)} names an environment twice. Name each once.')
    return environments


def context_of(environment: str, context: Mapping[str, Any], folder: Path = Path()) -> dict[str, Any]:
    """Return the context that holds in an environment.

    Args:
        environment: Its name; empty where there are no environments.
        context: The context of the app, in which the CDK has merged cdk.json and the command line.
        folder: The project's folder.

    Raises:
        ConfigError: The environment's file cannot be read, or names another environment.
    """
    own = _flat(_read(folder / FOLDER / f"{environment}.json")) if environment else {}
    if own.get(KEY, environment) != environment:
        raise ConfigError(
            f"{(folder / FOLDER / environment).resolve()}.json: The file says {KEY} {own[KEY]}. Its name says that."
        )
    from_file = _flat(usual(folder))
    merged = _flat({key: value for key, value in context.items() if key != KEY})
    chosen = {key: value for key, value in merged.items() if key not in from_file or from_file[key] != value}
    return merged | own | chosen | ({KEY: environment} if environment else {})


def _flat(context: Mapping[str, Any]) -> dict[str, Any]:
    """Return a context in which each setting stands under its dotted name, so that one replaces another."""
    return Config.flat(context)


def _read(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file.resolve()}: The file cannot be read: {phrase(error)}.") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{file.resolve()}: The file is not a JSON object of settings.")
    return content


def configurations(context: Mapping[str, Any], folder: Path = Path()) -> Iterable[tuple[str, Config]]:
    """Yield each environment that a context names, with its settings.

    Raises:
        ConfigError: A setting is unknown or has a value that is not allowed, or a file cannot be read.
    """
    for environment in names(context):
        yield environment, Config.from_context(context_of(environment, context, folder))
