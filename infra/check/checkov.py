"""Check templates with the security rules of checkov, as many teams' pipelines do."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from infra.check.findings import Finding
from infra.check.tools import run


def checkov(templates: Iterable[Path]) -> list[Finding]:
    """Return what checkov says of templates, with what passed.

    It sees copies without their folders: it would add a long path to the text of a template and take it for a secret.

    Raises:
        RuntimeError: checkov is not installed, could not read a template, or checked nothing.
    """
    options = ("--framework", "cloudformation", "--compact", "--skip-download", "--output", "json")
    with tempfile.TemporaryDirectory() as folder:
        copies = [shutil.copy(path, folder) for path in templates]
        files = [argument for copy in copies for argument in ("--file", Path(copy).name)]
        [report] = run("checkov", *files, *options, folder=Path(folder))
    summary = report.get("summary", report)  # alone where it checked nothing
    if summary["parsing_errors"] or not summary["passed"]:
        raise RuntimeError(f"checkov could not read every template, or none: {summary}")
    return [
        Finding(
            template=Path(check["file_path"]).name,
            resource=check["resource"].rpartition(".")[2],
            rule=check["check_id"],
            message=check["check_name"],
            is_passed=outcome == "passed_checks",
        )
        for outcome in ("failed_checks", "passed_checks")
        for check in report["results"][outcome]
    ]
