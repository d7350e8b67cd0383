"""cdk-nag: AWS's own rules for well-made stacks (AwsSolutions)."""

import json
from pathlib import Path

from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks


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
