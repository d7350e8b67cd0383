"""Check with cfn-lint whether CloudFormation would accept a template."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cfnlint.api import lint_file  # type: ignore[import-untyped]
from cfnlint.config import ManualArgs  # type: ignore[import-untyped]

#: Rules that are broken on purpose, with the reason why that is not a fault.
EXPLAINED = {
    "W2506": "the parameter of an image may also be resolve:ssm: and an SSM parameter, which EC2 reads at each launch",
    "W3005": "the CDK states dependencies that a reference states already",
}


def lint(templates: Iterable[Path]) -> list[str]:
    """Return the findings of cfn-lint in templates, one per line."""
    return [
        f"{path.name}:{match.linenumber}: {match.rule.id}: {match.message}"
        for path in templates
        for match in lint_file(path, ManualArgs(ignore_checks=list(EXPLAINED)))
    ]
