"""Which resource types people use, by synthesized templates, and whether the local cloud has them.

    python -m localcloud.services.usage docs/local-cloud-types.md FOLDER

`FOLDER` has one folder for each synthesized CDK app, as `cdk synth --output FOLDER/NAME` leaves it. The list replaces
that of the page; without a `FOLDER`, only what the page says of each type is brought up to date.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from pathlib import Path

from localcloud.cloudformation.deployment import WITHOUT_EFFECT
from localcloud.services import rooms

BEGIN, END = "<!-- types -->", "<!-- end of types -->"
HEADER = "| type | apps | resources | here |\n|---|---:|---:|---|"
ROW = re.compile(r"^\| `(?P<kind>[\w:]+)` \| (?P<apps>\d+) \| (?P<resources>\d+) \|", re.MULTILINE)
WORKS, REFUSED, SERVICE = "works", "refused by name", "refused by name; needs a service of its own"
#: CloudFormation's own types that are here.
OWN = {
    "AWS::CloudFormation::CustomResource",
    "AWS::CloudFormation::Macro",
    "AWS::CloudFormation::Stack",
    *WITHOUT_EFFECT,
}

Counts = dict[str, tuple[int, int]]


def here() -> set[str]:
    """Return the resource types that the rooms of the local cloud have."""
    return {kind for room in rooms() for kind in room.table("types.yaml")}


def status(kind: str) -> str:
    """Say whether the local cloud has a resource type; if not, whether it has anything of its service."""
    if kind in here() | OWN or kind.startswith("Custom::"):
        return WORKS
    services = {other.split("::")[1] for other in here()}
    return REFUSED if kind.split("::")[1] in services else SERVICE


def counted(folder: Path) -> Counts:
    """Return in how many apps each type is, and how many resources there are of it.

    Args:
        folder: Has a folder for each app, with its templates at any depth.
    """
    apps: Counter[str] = Counter()
    resources: Counter[str] = Counter()
    for app in sorted(path for path in folder.iterdir() if path.is_dir()):
        kinds = Counter(
            str(body["Type"])
            for template in sorted(app.rglob("*.template.json"))
            for body in json.loads(template.read_text(encoding="utf-8")).get("Resources", {}).values()
        )
        apps.update(kinds.keys())
        resources.update(kinds)
    return {kind: (apps[kind], resources[kind]) for kind in apps}


def listed(page: str) -> Counts:
    """Return the counts that a page has."""
    return {row["kind"]: (int(row["apps"]), int(row["resources"])) for row in ROW.finditer(page)}


def documented(page: str, counts: Counts) -> str:
    """Return a page with the list of types: those that most apps use first."""
    order = sorted(counts, key=lambda kind: (-counts[kind][0], -counts[kind][1], kind))
    rows = [f"| `{kind}` | {counts[kind][0]} | {counts[kind][1]} | {status(kind)} |" for kind in order]
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return "\n".join([f"{before}{BEGIN}\n", HEADER, *rows, f"\n{END}{after}"])


if __name__ == "__main__":
    name, *folders = map(Path, sys.argv[1:])
    text = name.read_text(encoding="utf-8")
    name.write_text(documented(text, counted(folders[0]) if folders else listed(text)), encoding="utf-8")
