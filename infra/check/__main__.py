"""Checks every stack: prints the unexplained findings; the exit code is 1 if there is one."""

import json
import sys
import tempfile
from pathlib import Path

from aws_cdk import App, Stack

from infra.check.checkov import checkov
from infra.check.findings import unexplained
from infra.check.lint import lint
from infra.check.nag import nag
from infra.check.policies import parliament
from infra.check.privileges import roles
from infra.config import Config
from infra.console import FOLDER, TEMPLATES, stack_of


def main() -> int:
    """Check the CDK's templates and the console's."""
    with tempfile.TemporaryDirectory() as folder:
        app = App(outdir=folder)
        stacks: dict[str, Stack] = {}
        for kind, _ in TEMPLATES.values():
            stacks[f"{kind.__name__}.template.json"] = kind(app, kind.__name__, Config())
        findings = nag(app)
        written = sorted(Path(folder).glob("*.template.json"))
        findings += lint(written)
        documents = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in written}
        for name, document in documents.items():
            findings += [fault for role in roles(name.split(".")[0], document) for fault in role.faults()]
        console = [FOLDER / file for file in TEMPLATES]
        findings += lint(console)
        stacks |= {file: stack_of(file) for file in TEMPLATES}
        raw = [*checkov([*written, *console]), *parliament(documents)]
        findings += map(str, unexplained(raw, stacks))
    for finding in findings:
        sys.stdout.write(f"{finding}\n")
    sys.stdout.write(f"{len(TEMPLATES)} stacks, {len(findings)} unexplained findings\n")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
