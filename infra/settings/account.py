"""Settings of every stack: what a company's account asks of whatever is deployed there."""

from __future__ import annotations

import fnmatch
import json
from pathlib import Path
from typing import Any, Self

from pydantic import model_validator

from infra.settings.setting import Settings, setting
from infra.settings.types import Boundary, BucketName, EnvironmentName, LogBucketArn, RolePath, Tags

_ASSIGN = "@@assign"


class AccountSettings(Settings):
    """What holds for all stacks alike."""

    allow_data_deletion: bool = setting(
        default=False,
        description="The second key: without it no stack deletes data on removal, whatever its delete_data says.",
        group="All stacks",
        console=False,
    )
    environment: EnvironmentName = setting(
        "",
        "Name of the environment: the stacks are deployed as WebApp-dev, with the settings of environments/dev.json.",
        empty="the stacks are there once, under their own names",
        group="All stacks",
        console=False,
    )
    tags: Tags = setting(
        {},
        "Tags of the stacks and of all their resources: Owner=data,CostCenter=42.",
        empty="none",
        group="All stacks",
        console=False,
    )
    tag_policy: str = setting(
        "",
        "File with a tag policy of AWS Organizations: each of its keys must be among tags, with a value it allows.",
        empty="no tag is asked for",
        group="All stacks",
        console=False,
    )
    permissions_boundary: Boundary = setting(
        "",
        "Name or ARN of the managed policy that is the permissions boundary of each role.",
        empty="roles have none",
        group="All stacks",
        console=False,
    )
    role_path: RolePath = setting("/", "Path of each role and instance profile.", group="All stacks", console=False)
    access_log_bucket: BucketName = setting(
        "",
        "Existing bucket for the access logs of the stacks' buckets and load balancers, below the stack's name.",
        empty="no access logs are kept",
        group="All stacks",
        console=False,
    )
    flow_log_bucket_arn: LogBucketArn = setting(
        "",
        "ARN of an existing bucket for the flow logs of the VPCs that the stacks make.",
        empty="each goes to a log group of its stack",
        group="All stacks",
        console=False,
    )

    @model_validator(mode="after")
    def _tags_follow_the_policy(self) -> Self:
        for rule in _rules(Path(self.tag_policy)) if self.tag_policy else ():
            _check_tag(self.tags, rule)
        return self


def _rules(file: Path) -> list[dict[str, Any]]:
    """Return the rules of a tag policy, in the syntax of AWS Organizations."""
    try:
        policy = json.loads(file.read_text(encoding="utf-8"))
        return [{"tag_key": {_ASSIGN: name}} | rule for name, rule in policy["tags"].items()]
    except OSError as error:
        raise ValueError(f"tag_policy: {file} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError(f'tag_policy: {file} is not a tag policy: it must be JSON with "tags"') from None


def _check_tag(tags: dict[str, str], rule: dict[str, Any]) -> None:
    """Refuse tags that a rule of a tag policy does not allow.

    Source: the AWS Organizations User Guide, "Tag policy syntax and examples".

    Raises:
        ValueError: The key is missing or is spelled otherwise, or the value is not allowed.
    """
    key, allowed = rule["tag_key"].get(_ASSIGN, ""), rule.get("tag_value", {}).get(_ASSIGN, [])
    if spelled := [name for name in tags if name.lower() == key.lower() and name != key]:
        raise ValueError(f"tags: the tag policy spells {spelled[0]} as {key}")
    if key not in tags:
        raise ValueError(f"tags: the tag policy asks for {key}: give it with -c tags.{key}=VALUE")
    if allowed and not any(fnmatch.fnmatchcase(tags[key], value) for value in allowed):
        raise ValueError(f"tags: the tag policy allows {', '.join(allowed)} for {key}, and not {tags[key]}")
