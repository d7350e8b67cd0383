"""Writes into each stack's page what a change of each setting replaces, removes and adds.

Every setting is changed once, the stack is synthesised before and after, and the templates are compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

from infra.config import Config
from infra.console.templates import PAGES
from infra.stack import GroundworkStack
from infra.stacks import STACKS
from infra.updates.identity import STATEFUL, identity
from infra.updates.synthesis import template

Json = dict[str, Any]
BLOCK = re.compile(r"(<!-- changes of (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
VPC = {"vpc_id": "vpc-0a1b2c3d"}
PUBLIC, ISOLATED = "subnet-0a1b2c3d,subnet-1a2b3c4d", "subnet-2a1b2c3d,subnet-3a2b3c4d"
NETWORK = VPC | {"subnet_ids": PUBLIC}
TIERED_NETWORK = VPC | {"vpc_cidr": "10.1.0.0/16", "public_subnet_ids": PUBLIC, "isolated_subnet_ids": ISOLATED}
ZONES = {"first_zone": "us-east-1c", "second_zone": "us-east-1d"}
CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/00000000-0000-0000-0000-000000000000"
#: Another value of each setting whose type does not suggest one, with the settings that it needs beside it.
OTHERS: dict[str, Mapping[str, Any]] = {
    "allowed_cidr": {"allowed_cidr": "203.0.113.0/24"},
    "backup_window": {"backup_window": "01:00-02:00"},
    "certificate_arn": {"certificate_arn": CERTIFICATE},
    "code": {"code": "s3://bucket/key.zip"},
    "database_instance_type": {"database_instance_type": "db.t4g.small"},
    "database_restore_time": {"database_restore_time": "2026-11-29T08:30:00Z", "database_source": "db-ANOTHER"},
    "database_snapshot": {"database_snapshot": "before"},
    "database_source": {"database_source": "db-ANOTHER"},
    "database_storage_gib": {"database_storage_gib": 50},
    "datapoints_to_alarm": {"datapoints_to_alarm": 2, "evaluation_periods": 2},
    "email": {"email": "you@example.com"},
    "embedding_model": {"embedding_model": "cohere.embed-english-v3"},
    "gpu_image": {"gpu_image": "public.ecr.aws/name/image:tag"},
    "gpu_instance_types": {"gpu_instance_types": "g5"},
    "graph_snapshot": {"graph_snapshot": "before"},
    "host_name": {"host_name": "films.example.com"},
    "image": {"image": "public.ecr.aws/name/image:tag"},
    "influxdb_instance_type": {"influxdb_instance_type": "db.influx.large"},
    "instance_types": {"instance_types": "m7i"},
    "kms_key_arn": {"kms_key_arn": "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000"},
    "machine_image": {"machine_image": "resolve:ssm:/another/image"},
    "maintenance_window": {"maintenance_window": "sat:04:30-sat:05:30"},
    "movies_stream_arn": {
        "movies_stream_arn": "arn:aws:dynamodb:us-east-1:123456789012:table/restored/stream/2026-11-29T08:30:00.000"
    },
    "period_seconds": {"period_seconds": 120},
    "rollup_days": {"rollup_days": 400, "raw_days": 90},
    "search_instance_type": {"search_instance_type": "t3.medium.search"},
    "source_cidr": {"source_cidr": "203.0.113.7/32"},
    "source_secret_arn": {"source_secret_arn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:source-a1b2c3"},
    "ssh_cidr": {"ssh_cidr": "203.0.113.7/32", "ssh_key_name": "key"},
    "ssh_key_name": {"ssh_key_name": "key", "ssh_cidr": "203.0.113.7/32"},
    "subnet_ids": NETWORK,
    "artifact_bucket": {"artifact_bucket": "artifacts-of-the-company"},
    "topic_arn": {"topic_arn": "arn:aws:sns:us-east-1:123456789012:operations"},
    "watch": {"watch": "all"},
    "timestream_cell": {"timestream_cell": "ingest-cell2"},
    "vpc_id": NETWORK,
    **dict.fromkeys(ZONES, ZONES),
    **dict.fromkeys(TIERED_NETWORK.keys() - VPC.keys(), TIERED_NETWORK),
    "vpc_endpoint": TIERED_NETWORK | {"vpc_endpoint": False},
}
#: What `DeletionPolicy` and `UpdateReplacePolicy` mean for data.
FATES = {
    "Delete": "it is deleted, with what it holds",
    "Retain": "the old one stays, outside the stack",
    "RetainExceptOnCreate": "the old one stays, outside the stack",
    "Snapshot": "the old one is deleted, and a snapshot stays",
}


@dataclass(frozen=True)
class Change:
    """What a change of one setting does to the resources of a stack.

    Attributes:
        setting: The setting's name.
        value: The value that it was changed to.
        replaced: Logical ids of the resources that CloudFormation replaces by new ones, with other physical ids.
        removed: Logical ids of those that it deletes or leaves behind.
        added: Logical ids of those that it creates.
        updated: Logical ids of those that it changes in place.
        fates: What becomes of the data of what is replaced or removed, by logical id.
    """

    setting: str
    value: str
    replaced: tuple[str, ...]
    removed: tuple[str, ...]
    added: tuple[str, ...]
    updated: tuple[str, ...]
    fates: Mapping[str, str]


def change(setting: str, value: str, before: Json, after: Json) -> Change:
    """Compare two templates of a stack."""
    old, new = before["Resources"], after["Resources"]
    both = old.keys() & new.keys()
    replaced = sorted(name for name in both if identity(before, name) != identity(after, name))
    removed = sorted(old.keys() - new.keys())
    return Change(
        setting=setting,
        value=value,
        replaced=tuple(replaced),
        removed=tuple(removed),
        added=tuple(sorted(new.keys() - old.keys())),
        updated=tuple(sorted(name for name in both if old[name] != new[name] and name not in replaced)),
        fates={
            name: FATES[old[name].get(policy, "Delete")]
            for names, policy in ((replaced, "UpdateReplacePolicy"), (removed, "DeletionPolicy"))
            for name in names
            if old[name]["Type"] in STATEFUL
        },
    )


def others(setting: str, schema: Json, *, tiered: bool = False) -> Mapping[str, Any]:
    """Return another value of a setting, and of those that it needs beside it.

    Args:
        setting: The setting's name.
        schema: Its JSON schema.
        tiered: Whether its stack has public and isolated subnets.

    Raises:
        KeyError: Its type suggests none, and `OTHERS` has none.
    """
    default = schema["default"]
    if setting == "vpc_id" and tiered:
        return TIERED_NETWORK
    if setting in OTHERS:
        return OTHERS[setting]
    if "enum" in schema:
        value: Any = next(value for value in reversed(schema["enum"]) if value != default)
    elif schema["type"] == "boolean":
        value = not default
    elif schema["type"] == "integer":
        value = default + 1 if default + 1 <= schema.get("maximum", default + 1) else default - 1
    elif setting == "instance_type":
        value = "db.influx.large" if default.startswith("db.") else "t3.medium"
    else:
        raise KeyError(setting)
    return {setting: value}


@cache
def sweep(stack: type[GroundworkStack]) -> tuple[Change, ...]:
    """Change each setting of a stack once, and compare its template with that of the defaults."""
    settings = type(getattr(Config(), stack.SECTION)).model_json_schema()["properties"]
    before = template(stack, {})
    changes = []
    for setting, schema in settings.items():
        values = others(setting, schema, tiered="isolated_subnet_ids" in settings)
        after = template(stack, {f"{stack.SECTION}.{name}": value for name, value in values.items()})
        changes.append(change(setting, str(values[setting]), before, after))
    return tuple(changes)


def table(changes: tuple[Change, ...]) -> str:
    """Return the changes of a stack in Markdown: first what replaces or removes, then what only updates."""
    return "\n".join(["| setting | what its change does |", "|---|---|", *_rows(changes)]) + "\n"


def _rows(changes: tuple[Change, ...]) -> Iterator[str]:
    quiet = []
    for change in changes:
        effects = [
            *_effect("replaces", change.replaced, change.fates),
            *_effect("removes", change.removed, change.fates),
            *_effect("adds", change.added, {}),
        ]
        if change.replaced or change.removed or change.added:
            yield f"| `{change.setting}` to `{change.value}` | {'; '.join(effects)} |"
        else:
            quiet.append(change.setting)
    if quiet:
        yield f"| {', '.join(f'`{name}`' for name in quiet)} | updates resources in place |"


def _effect(verb: str, names: tuple[str, ...], fates: Mapping[str, str]) -> Iterator[str]:
    """Say what happens to resources; those that hold data come first, each with what becomes of it."""
    if names:
        first = [f"**{name}** ({fates[name]})" for name in names if name in fates]
        yield f"{verb} {', '.join([*first, *_grouped(name for name in names if name not in fates)])}"


def _grouped(names: Iterable[str]) -> Iterator[str]:
    """Name resources, those of one construct together where they are more than three: `Network* (16)`."""
    for word, group in groupby(sorted(names), key=lambda name: re.split(r"(?<=[a-z0-9])(?=[A-Z])", name)[0]):
        members = list(group)
        yield from members if len(members) <= 3 else [f"{word}\\* ({len(members)})"]  # noqa: PLR2004 - three


def with_changes(page: str) -> str:
    """Return a page with its tables of changes, each between `<!-- changes of NAME -->` and `<!-- end -->`."""
    stacks = {stack.SECTION: stack for stack in STACKS}
    return BLOCK.sub(lambda block: f"{block[1]}\n{table(sweep(stacks[block[2]]))}\n{block[3]}", page)


def written_from() -> dict[Path, str]:
    """Return what the stacks' pages must say."""
    return {page: with_changes(page.read_text(encoding="utf-8")) for page in sorted(PAGES.glob("*.md"))}
