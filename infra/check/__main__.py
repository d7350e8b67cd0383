"""Check every stack and what is written from it: print the unexplained findings, and exit with 1 if there is one.

Everything is synthesised once, so this replaces `python -m infra.console --check` and the same check of the costs.
"""

from __future__ import annotations

import json
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from aws_cdk import App, Stack

from infra.check import compliance, statements
from infra.check.checkov import checkov
from infra.check.findings import unexplained
from infra.check.lint import lint
from infra.check.policies import judge
from infra.check.privileges import roles
from infra.check.synthesis import CONTEXT, acknowledged_findings, synthesise
from infra.config import Config
from infra.console.templates import FOLDER, TEMPLATES, complaint, stack_of, stale, written_from
from infra.cost import page
from infra.cost.estimate import estimate
from infra.updates import record


def main() -> int:
    """Check the CDK's templates and the console's, the tables of settings and the costs."""
    of_console = {file: stack_of(file) for file in TEMPLATES}
    texts = written_from(of_console)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor() as pool:
        app = App(outdir=folder, context=CONTEXT)
        stacks: dict[str, Stack] = {}
        for stack in TEMPLATES.values():
            stacks[f"{stack.__name__}.template.json"] = stack(app, stack.__name__, Config())
        findings = synthesise(app)
        paths = sorted(Path(folder).glob("*.template.json"))
        documents = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in paths}
        for name, document in documents.items():
            findings += [fault for role in roles(name.split(".")[0], document) for fault in role.faults()]
        by_stack = {name.split(".")[0]: documents[name] for name in stacks}
        findings += statements.faults(by_stack)
        texts[statements.PAGE] = statements.written(by_stack)
        texts |= page.written_from(estimate(name.split(".")[0], documents[name]) for name in stacks)
        findings += record.differences(json.loads(record.FILE.read_text(encoding="utf-8")), record.record())
        templates = [*paths, *(FOLDER / file for file in TEMPLATES)]
        by_checkov = pool.submit(checkov, templates)  # a program, on another core
        findings += lint(templates)
        template_findings = [*judge(documents), *by_checkov.result()]
        findings += map(str, unexplained(template_findings, stacks | of_console))
        judged = compliance.judge(stacks.values(), Path(folder), template_findings)
        findings += compliance.faults(judged)
        findings += compliance.stale(stacks | of_console, template_findings, acknowledged_findings(Path(folder)))
        findings += map(complaint, stale(texts | compliance.pages(judged)))
    for finding in findings:
        sys.stdout.write(f"{finding}\n")
    sys.stdout.write(f"{len(TEMPLATES)} stacks, {len(findings)} unexplained findings\n")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
