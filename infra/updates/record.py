"""Writes infra/stateful.json: the identity of each resource that holds data, by stack and mode.

Whoever changes one of these values lets the next deployment of that stack replace the resource, and its data stays
behind. So the record is compared in every check, and a deliberate change stands in it and in the changelog.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from infra import PROJECT
from infra.stacks import STACKS
from infra.updates import synthesis
from infra.updates.identity import STATEFUL, identity

Json = dict[str, Any]
FILE = PROJECT / "infra" / "stateful.json"
#: Settings that choose which resources a stack has, by the name of the mode.
MODES: dict[str, dict[str, str]] = {
    "defaults": {},
    "InfluxDB 3": {"data_ecosystem.influxdb_version": "3", "devops_metrics.influxdb_version": "3"},
    "LiveAnalytics": {"data_ecosystem.engine": "liveanalytics", "devops_metrics.engine": "liveanalytics"},
    "load balancer": {
        "web_app.certificate_arn": "arn:aws:acm:us-east-1:123456789012:certificate/00000000-0000-0000-0000-000000000000"
    },
}


def templates(context: dict[str, Any]) -> dict[str, Json]:
    """Return the template of each stack under some settings, by the stack's name."""
    return {stack.__name__: synthesis.template(stack, context) for stack in STACKS}


def stateful(template: Json) -> dict[str, dict[str, Any]]:
    """Return the identities of the resources of a template that hold data, by logical id."""
    return {
        name: identity(template, name)
        for name, body in sorted(template["Resources"].items())
        if body["Type"] in STATEFUL
    }


def record() -> dict[str, dict[str, Any]]:
    """Return the identities by stack and mode; modes other than the defaults have what is theirs only."""
    stacks: dict[str, dict[str, Any]] = {}
    for mode, context in MODES.items():
        for stack, template in templates(context).items():
            usual = stacks.setdefault(stack, {}).get("defaults", {})
            own = {name: values for name, values in stateful(template).items() if usual.get(name) != values}
            if own or mode == "defaults":
                stacks[stack][mode] = own
    return stacks


def written_from() -> dict[Path, str]:
    """Return what the record's file must say."""
    return {FILE: json.dumps(record(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"}


def differences(recorded: Json, current: Json) -> list[str]:
    """Say what a change of the code would replace or remove in deployed stacks, one line each.

    Args:
        recorded: What infra/stateful.json says.
        current: What `record` returns.
    """
    lines = []
    for stack, modes in recorded.items():
        for mode, resources in modes.items():
            now = current.get(stack, {}).get(mode, {})
            for name, values in resources.items():
                place = f"{stack} ({mode}), {name}"
                if name not in now:
                    lines.append(f"{place}: An update would remove it from the stack.")
                    continue
                lines += [
                    f"{place}: {key} was {values.get(key)!r} and is {now[name].get(key)!r}. An update would replace "
                    "it. Undo the change, or write into CHANGELOG.md how data is brought over and run `make templates`."
                    for key in sorted(values.keys() | now[name].keys())
                    if values.get(key) != now[name].get(key)
                ]
    if not lines and recorded != current:
        lines.append("infra/stateful.json: A resource that holds data is new. Run `make templates`.")
    return lines
