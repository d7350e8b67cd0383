"""Every setting of every stack, read from the CDK's context.

Each setting is described once, in `infra.settings`. The CDK reads the settings from its context, the console's
templates ask for them as parameters, and the documentation lists them (`infra.console`).
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from typing import Any, Self

from pydantic import BaseModel, ValidationError

from contract.errors import InputError, phrase
from infra.settings.account import AccountSettings
from infra.settings.budget import BudgetSettings
from infra.settings.data_ecosystem import DataEcosystemSettings
from infra.settings.devops_metrics import DevOpsMetricsSettings
from infra.settings.termination_alarm import TerminationAlarmSettings
from infra.settings.training import TrainingSettings
from infra.settings.web_app import WebAppSettings

TAGS = "tags."
"""What the name of a tag's setting begins with: `tags.CostCenter`."""


class ConfigError(InputError):
    """A setting that is unknown or has a value that is not allowed; the message is one line for people."""


class Config(AccountSettings):
    """All settings: those of every stack, and by stack."""

    termination_alarm: TerminationAlarmSettings = TerminationAlarmSettings()
    training: TrainingSettings = TrainingSettings()
    devops_metrics: DevOpsMetricsSettings = DevOpsMetricsSettings()
    data_ecosystem: DataEcosystemSettings = DataEcosystemSettings()
    web_app: WebAppSettings = WebAppSettings()
    budget: BudgetSettings = BudgetSettings()

    @classmethod
    def from_context(cls, context: Mapping[str, Any]) -> Self:
        """The settings in a CDK context: `threshold` of a stack is `termination_alarm.threshold`, or stands nested.

        Raises:
            ConfigError: a name is unknown or a value is not allowed.
        """
        values: dict[str, Any] = {}
        for name, leaf in cls.flat(context).items():
            _insert(values, name, leaf)
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise ConfigError(" ".join(_explain(cls, detail) for detail in error.errors())) from None

    @staticmethod
    def names(context: Mapping[str, Any]) -> set[str]:
        """The dotted names of the settings that a CDK context gives.

        Raises:
            ConfigError: A value that begins as JSON is not JSON.
        """
        return {*Config.flat(context)}

    @staticmethod
    def flat(context: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings that a CDK context gives, by dotted name, without the CDK's own keys.

        Raises:
            ConfigError: A value that begins as JSON is not JSON.
        """
        return {
            name: leaf
            for key, value in context.items()
            if not _belongs_to_cdk(key)
            for name, leaf in _leaves(key, value)
        }

    def chosen(self, section: str) -> dict[str, str]:
        """The settings of a stack that differ from their defaults, as a CDK context that chooses them again.

        Those of every stack are among them; the environment is not, because the stack's name says it.
        """
        own = getattr(self, section)
        shared = {name: getattr(self, name) for name in AccountSettings.model_fields if name != "environment"}
        values = {f"{section}.{name}": value for name, value in own if value != _default(own, name)}
        values |= {name: value for name, value in shared.items() if value != _default(self, name)}
        return {name: _as_text(leaf) for key, value in values.items() for name, leaf in _leaves(key, value)}


def _default(settings: BaseModel, name: str) -> Any:
    return type(settings).model_fields[name].get_default()


def _as_text(value: Any) -> str:
    """A setting as the command line takes it."""
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _belongs_to_cdk(key: str) -> bool:
    """Feature flags (`@aws-cdk/...`), switches (`aws:...`, `cdk-...`) and cached lookups (`ami:account=...`)."""
    return not key.startswith(TAGS) and (key.startswith(("@", "cdk-")) or ":" in key)


def _leaves(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Single settings by dotted name, whether a context nests them, spells them out, or has them as JSON."""
    if isinstance(value, str) and value.startswith("{"):
        try:
            value = json.loads(value)
        except json.JSONDecodeError as error:
            raise ConfigError(f"Setting {json.dumps(key)}: The value is not JSON: {phrase(error)}.") from None
    if f"{key}." == TAGS and isinstance(value, str):
        value = _tags(value)
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _leaves(f"{key}.{name}", inner)
    else:
        yield key, value


def _tags(text: str) -> dict[str, str]:
    """Return tags from the command line, which are `Owner=data,CostCenter=42`."""
    pairs = [pair.partition("=") for pair in text.split(",") if pair.strip()]
    if wrong := [key for key, sign, _ in pairs if not sign]:
        raise ConfigError(f'Setting "tags": {wrong[0]!r} is not a tag. Write tags as Owner=data,CostCenter=42.')
    return {key.strip(): value.strip() for key, _, value in pairs}


def _insert(values: dict[str, Any], key: str, value: Any) -> None:
    """Put the setting `a.b` where it belongs in nested settings."""
    *parents, name = key.split(".", 1) if key.startswith(TAGS) else key.split(".")  # a tag's key may have dots
    for parent in parents:
        values = values.setdefault(parent, {})
        if not isinstance(values, dict):
            raise ConfigError(f"Setting {json.dumps(key)}: {json.dumps(parent)} has no settings of its own.")
    if isinstance(values.get(name), dict):
        raise ConfigError(
            f"Setting {json.dumps(key)}: {value!r} is not allowed beside settings below {json.dumps(key)}."
        )
    values[name] = value


def _explain(model: type[BaseModel], detail: Any) -> str:
    """Return a complaint of pydantic as a line that names the setting and what is allowed."""
    path = [str(key) for key in detail["loc"]]
    name = json.dumps(".".join(path))
    fields, field = model.model_fields, None
    for key in path:
        field = fields.get(key)
        if field and isinstance(field.default, BaseModel):
            fields, field = type(field.default).model_fields, None
    if detail["type"] == "extra_forbidden":
        near = difflib.get_close_matches(path[-1], fields, n=1)
        prefix = "".join(f"{key}." for key in path[:-1])
        suggestion = f' Did you mean "{prefix}{near[0]}"?' if near else ""
        return f"There is no setting {name}.{suggestion} There are {', '.join(prefix + key for key in fields)}."
    message = detail["msg"].removeprefix("Value error, ")
    if not field:
        return f"Setting {name}: {phrase(message)}."
    extra = field.json_schema_extra
    hint = extra.get("hint") if isinstance(extra, dict) else ""
    reasons = [phrase(message)] if detail["type"] == "value_error" or not hint else []
    allowed = "; ".join([*reasons, *([f"it must be {hint}"] if hint else [])])
    return f"Setting {name}: {detail['input']!r} is not allowed: {allowed}. {field.description}"
