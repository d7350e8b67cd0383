"""The security checks over every stack: cdk-nag's AwsSolutions rules and cfn-lint. Run as `python -m infra.check`.

Both look at the templates of the CDK and of the console. A finding stands until it is mended, or acknowledged on its
construct with a reason (`infra.guardrails.acknowledge`).
"""

import json
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks
from cfnlint.api import lint_file  # type: ignore[import-untyped]
from cfnlint.config import ManualArgs  # type: ignore[import-untyped]

from infra.config import Config
from infra.console import FOLDER, TEMPLATES

#: cfn-lint's rules that the CDK breaks by itself, with why that is no fault.
CDK_HABITS = {"W3005": "the CDK states dependencies that a reference states already"}


def nag(app: App) -> list[str]:
    """Synthesise the app under cdk-nag and give its findings, one a line.

    Raises:
        RuntimeError: the report does not say that the AwsSolutions rules ran.
    """
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    try:
        app.synth()
    except RuntimeError as error:  # cdk-nag ends the synthesis so; the report says more
        if "ValidationFailed" not in str(error):
            raise
    report = json.loads((Path(app.outdir) / "validation-report.json").read_text(encoding="utf-8"))
    packs = [entry for entry in report["pluginReports"] if entry["pluginName"] == "AwsSolutions"]
    if not packs:
        raise RuntimeError("cdk-nag's report has no AwsSolutions entry: the rules did not run")
    return [
        f"{construct['constructPath']}: {violation['ruleName']}: {violation['description']}"
        for pack in packs
        for violation in pack["violations"]
        for construct in violation["violatingConstructs"]
    ]


def lint(templates: Iterable[Path]) -> list[str]:
    """What cfn-lint finds in templates, one finding a line."""
    return [
        f"{path.name}:{match.linenumber}: {match.rule.id}: {match.message}"
        for path in templates
        for match in lint_file(path, ManualArgs(ignore_checks=list(CDK_HABITS)))
    ]


def main() -> int:
    """Check every stack; 1 if there is a finding."""
    with tempfile.TemporaryDirectory() as folder:
        app = App(outdir=folder)
        for kind, _ in TEMPLATES.values():
            kind(app, kind.__name__, Config())
        findings = nag(app)
        findings += lint(Path(folder).glob("*.template.json"))
    findings += lint(FOLDER / file for file in TEMPLATES)
    for finding in findings:
        sys.stdout.write(f"{finding}\n")
    sys.stdout.write(f"{len(TEMPLATES)} stacks, {len(findings)} unexplained findings\n")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
