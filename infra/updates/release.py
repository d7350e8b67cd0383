"""What an update from the last release does to a deployed stack: the record of a release, and its upgrade notes.

infra/released.json records each resource of the templates of a release: its type, and digests of the values that cannot
change while it lives and of all that it has. A test compares today's templates with it: nothing that holds data may be
replaced or removed unless CHANGELOG.md says so in a line that begins with `Migration`.

Run `python -m infra.updates.release` to print the notes. Run `python -m infra.updates.release --record VERSION` when a
release is made, after the notes have been put into CHANGELOG.md.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from infra import PROJECT
from infra.updates.identity import STATEFUL, identity
from infra.updates.record import MODES, templates

Json = dict[str, Any]
FILE = PROJECT / "infra" / "released.json"
DIGEST = 12  # characters
#: How the notes call what is done.
SAID = {
    "replaced": "replaced, or with another engine or password",
    "removed": "removed",
    "added": "added",
    "updated": "updated in place",
}
#: The hash in the name of a file with code, which differs in every version.
ASSET = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Upgrade:
    """What an update of one stack does.

    Attributes:
        stack: The stack and its mode, such as `WebApp (defaults)`.
        replaced: Logical ids of the resources that are replaced.
        removed: Logical ids of those that leave the stack.
        added: Logical ids of those that are new.
        updated: Logical ids of those that change in place.
        stateful: Which of those that are replaced or removed hold data.
    """

    stack: str
    replaced: tuple[str, ...]
    removed: tuple[str, ...]
    added: tuple[str, ...]
    updated: tuple[str, ...]
    stateful: tuple[str, ...]


def record(version: str) -> Json:
    """Return the record of the templates as they are now.

    Args:
        version: Of the release.
    """
    stacks = {
        f"{stack} ({mode})": {name: recorded(template, name) for name in sorted(template["Resources"])}
        for mode, context in MODES.items()
        for stack, template in templates(context).items()
    }
    return {"version": version, "stacks": stacks}


def upgrades(released: Json, current: Json) -> Iterator[Upgrade]:
    """Yield what an update does, for each stack and mode in which it does anything.

    Args:
        released: The record of a release.
        current: The record of today.
    """
    for stack, old in released["stacks"].items():
        new = current["stacks"].get(stack, {})
        both = old.keys() & new.keys()
        replaced = tuple(sorted(name for name in both if old[name]["identity"] != new[name]["identity"]))
        removed = tuple(sorted(old.keys() - new.keys()))
        upgrade = Upgrade(
            stack=stack,
            replaced=replaced,
            removed=removed,
            added=tuple(sorted(new.keys() - old.keys())),
            updated=tuple(sorted(name for name in both if old[name] != new[name] and name not in replaced)),
            stateful=tuple(name for name in (*replaced, *removed) if old[name]["type"] in STATEFUL),
        )
        if upgrade.replaced or upgrade.removed or upgrade.added or upgrade.updated:
            yield upgrade


def notes(released: Json, current: Json) -> str:
    """Return the upgrade notes in Markdown."""
    lines = [f"## Upgrading from {released['version']}", ""]
    for upgrade in upgrades(released, current):
        lines.append(f"- {upgrade.stack}:")
        for done, verb in SAID.items():
            if names := getattr(upgrade, done):
                shown = ", ".join(f"**{name}**" if name in upgrade.stateful else name for name in names)
                lines.append(f"  - {verb}: {shown}")
    lines += [] if len(lines) > 2 else ["No resource changes."]  # noqa: PLR2004 - the heading and an empty line
    return "\n".join(lines) + "\n"


def recorded(template: Json, name: str) -> Json:
    """Return what the record has of a resource of a template."""
    body = template["Resources"][name]
    return {"type": body["Type"], "identity": _digest(identity(template, name)), "all": _digest(body)}


def _digest(value: Any) -> str:
    text = ASSET.sub("", json.dumps(value, sort_keys=True))
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST]


def main() -> int:
    """Print the upgrade notes, or record a release."""
    parser = argparse.ArgumentParser(prog="python -m infra.updates.release", description=__doc__)
    parser.add_argument("--record", metavar="VERSION", help="record the templates as those of this version")
    version = parser.parse_args().record
    current = record(version or "")
    if version:
        FILE.write_text(json.dumps(current, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    else:
        sys.stdout.write(notes(json.loads(FILE.read_text(encoding="utf-8")), current))
    return 0


if __name__ == "__main__":
    sys.exit(main())
