"""What two versions of stacks cost while idle, resource by resource."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moto.core.exceptions import ServiceException

from contract.errors import InputError, phrase
from groundwork.access_diff.revisions import templates as revision
from infra.commands import configurations
from infra.cost.estimate import Estimate, estimate
from infra.environments import split
from infra.templates import templates as synthesised
from localcloud.cloudformation.templates import parse

Json = dict[str, Any]
_NOTHING = {"Ref": "AWS::NoValue"}
_SUFFIXES = (".json", ".yaml", ".yml")


@dataclass(frozen=True)
class Difference:
    """What one resource bills before and after a change.

    Attributes:
        stack: The stack's name.
        resource: Logical id.
        before: USD a month while idle; 0 where there is no such resource.
        after: The same after the change.
    """

    stack: str
    resource: str
    before: float
    after: float

    @property
    def more(self) -> float:
        """USD a month that the change costs; negative where it saves."""
        return self.after - self.before


def estimates(name: str, folder: str, context: list[str], stacks: Iterable[str]) -> list[Estimate]:
    """Estimate one version of the stacks.

    Args:
        name: A template, a folder of templates, a git revision, or settings (`key=value`, several with blanks between
            them); `defaults` are no settings.
        folder: Where a revision has its templates.
        context: Settings that hold beside those in the name.
        stacks: Which stacks; all of them where it is empty.

    Raises:
        InputError: It is none of these, a setting is wrong, or a resource has no price.
    """
    chosen = list(stacks)
    if not Path(name).exists() and ("=" in name or name == "defaults"):
        pairs = [] if name == "defaults" else name.split()
        asked = configurations(chosen, [*context, *pairs])
        bodies = [row for config, names in asked for row in synthesised(config, names).items()]
        return [estimate(split(deployed)[0], body) for deployed, body in bodies]
    if context:
        raise InputError("--context: Settings are compared with settings. Leave it out where templates are compared.")
    with _read(name, folder) as templates:
        return [estimate(stack, resolved(body)) for stack, body in templates.items() if not chosen or stack in chosen]


@contextmanager
def _read(name: str, folder: str) -> Iterator[dict[str, Json]]:
    with revision(name, folder) as place:
        paths = sorted(path for path in place.iterdir() if path.suffix in _SUFFIXES) if place.is_dir() else [place]
        templates: dict[str, Json] = {}
        for path in paths:
            try:
                body = parse(path.read_text(encoding="utf-8"))
            except (OSError, ServiceException, UnicodeDecodeError) as error:
                if place.is_dir() and path.suffix == ".json":
                    continue  # the CDK's folder has other documents beside its templates
                raise InputError(f"{path}: This is not a template: {phrase(error)}.") from error
            templates[_stack_name(path)] = body
        yield templates


def _stack_name(path: Path) -> str:
    """Return the stack of a template's file: `web-app.yaml` and `WebApp.template.json` are WebApp's."""
    from infra.console.templates import TEMPLATES  # noqa: PLC0415 - takes a second, and files need not be ours

    name = path.name.partition(".")[0]
    kind = TEMPLATES.get(f"{name}.yaml")
    return kind.__name__ if kind else name


def resolved(template: Json) -> Json:
    """Return a template as its parameters' defaults make it, without what its conditions leave out.

    A parameter without a default stands for something that exists and has its own name as value.
    """
    return {"Resources": _Defaults(template).resources()}


class _Defaults:
    """A template whose parameters have their defaults."""

    def __init__(self, template: Json) -> None:
        self._values = {name: _default(name, body) for name, body in template.get("Parameters", {}).items()}
        self._conditions: Json = template.get("Conditions", {})
        self._resources: Json = template.get("Resources", {})

    def resources(self) -> Json:
        """Return the resources that exist, with the values of their properties as far as the template says them."""
        return {
            name: self._value(body)
            for name, body in self._resources.items()
            if "Condition" not in body or self._is_true(body["Condition"])
        }

    def _is_true(self, condition: Any) -> bool:
        match condition:
            case str() as name:
                outcome = self._is_true(self._conditions.get(name))
            case {"Condition": str() as name}:
                outcome = self._is_true(name)
            case {"Fn::Not": [inner]}:
                outcome = not self._is_true(inner)
            case {"Fn::And": list(parts)}:
                outcome = all(map(self._is_true, parts))
            case {"Fn::Or": list(parts)}:
                outcome = any(map(self._is_true, parts))
            case {"Fn::Equals": [first, second]}:
                outcome = _text(self._value(first)) == _text(self._value(second))
            case _:
                outcome = False
        return outcome

    def _value(self, node: Any) -> Any:
        match node:
            case {"Ref": str() as name} if name in self._values:
                return self._values[name]
            case {"Fn::If": [condition, if_true, if_false]}:
                return self._value(if_true if self._is_true(condition) else if_false)
            case {"Fn::Join": [str() as separator, parts]}:
                items = self._value(parts)
                is_text = isinstance(items, list) and all(isinstance(item, str) for item in items)
                return separator.join(items) if is_text else {"Fn::Join": [separator, items]}
            case dict():
                pairs = ((key, self._value(inner)) for key, inner in node.items())
                return {key: inner for key, inner in pairs if inner != _NOTHING}
            case list():
                return [item for item in map(self._value, node) if item != _NOTHING]
        return node


def _default(name: str, parameter: Json) -> Any:
    default = parameter.get("Default", name)
    is_list = parameter.get("Type", "").startswith(("List<", "CommaDelimitedList"))
    return str(default).split(",") if is_list else default


def _text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def differences(before: Iterable[Estimate], after: Iterable[Estimate]) -> list[Difference]:
    """Return the resources that bill otherwise after a change, what costs most more first."""
    months: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0])
    for place, version in enumerate((before, after)):
        for stack in version:
            for charge in stack.charges:
                months[stack.stack, charge.resource][place] += charge.usd
    compared = [Difference(*name, *pair) for name, pair in months.items()]
    return sorted((row for row in compared if round(row.more, 2)), key=lambda row: -row.more)
