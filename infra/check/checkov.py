"""checkov: security rules over templates, as many teams' pipelines run them."""

from collections.abc import Iterable
from pathlib import Path

from infra.check.findings import Finding
from infra.check.tools import run


def checkov(templates: Iterable[Path]) -> list[Finding]:
    """What checkov finds in templates.

    Raises:
        RuntimeError: It is not installed, could not read a template, or checked nothing.
    """
    files = [argument for path in templates for argument in ("--file", str(path))]
    options = ("--framework", "cloudformation", "--compact", "--quiet", "--skip-download", "--output", "json")
    [report] = run("checkov", *files, *options)
    summary = report.get("summary", report)  # alone where it checked nothing
    if summary["parsing_errors"] or not summary["passed"]:
        raise RuntimeError(f"checkov could not read every template, or none: {summary}")
    return [
        Finding(
            template=Path(check["file_path"]).name,
            resource=check["resource"].rpartition(".")[2],
            rule=check["check_id"],
            message=check["check_name"],
        )
        for check in report["results"]["failed_checks"]
    ]
