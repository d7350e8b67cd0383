"""Runs the CDK's command line in a project's folder: `cdk.run("deploy", "Training", say=typer.echo)`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from contract.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

QUICK = {
    "CDK_VALIDATION": "false",  # checking the schemas of a template takes as long as synthesising it
    "CDK_DISABLE_CLI_TELEMETRY": "true",
    "CDK_DISABLE_VERSION_CHECK": "true",
}
"""Variables that make the CDK's command line quick and quiet, where nothing needs to be checked."""


@dataclass(frozen=True)
class Finished:
    """A run of the CDK's command line that has ended.

    Attributes:
        code: Its exit code.
        lines: What it printed.
    """

    code: int
    lines: tuple[str, ...]

    @property
    def failed(self) -> bool:
        """Whether it ended with an error."""
        return self.code != 0

    @property
    def reason(self) -> str:
        """What it printed about its failure, in one line."""
        failure = next((number for number, line in enumerate(self.lines) if "❌" in line), -3)
        return " ".join(line.strip(" ❌‣") for line in self.lines[failure:][:4] if line.strip())


def run(
    command: str,
    *arguments: str,
    context: Mapping[str, str] | None = None,
    project: Path | None = None,
    environment: Mapping[str, str] | None = None,
    say: Callable[[str], None] | None = None,
) -> Finished:
    """Run a command of the CDK, and wait until it ends.

    Args:
        command: The command, such as `deploy`.
        arguments: Stacks and options.
        context: CDK context, as `-c key=value` gives it.
        project: The folder with cdk.json; the current one by default.
        environment: The environment; that of this process by default. This interpreter is first on its PATH.
        say: Called with each line that the CDK prints.

    Raises:
        InputError: The folder has no cdk.json, or Node.js or the CDK's command line is missing.
    """
    folder = (project or Path.cwd()).resolve()
    words = [_program(folder), command, *arguments, "--no-notices", "--no-color", "--ci"]
    for key, value in (context or {}).items():
        words += ["--context", f"{key}={value}"]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])  # for `python app.py`
    running = subprocess.Popen(
        words,
        cwd=folder,
        env={**(os.environ if environment is None else environment), "PATH": path},
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    lines = []
    with running as process:
        for line in process.stdout or ():
            lines.append(line.rstrip())
            if say:
                say(line.rstrip())
    return Finished(running.returncode, tuple(lines))


def _program(project: Path) -> str:
    """Return the CDK's command line: the project's own, or the one on PATH."""
    if not (project / "cdk.json").exists():
        raise InputError(f"{project}: There is no cdk.json. Run this command in the project's folder.")
    if not shutil.which("node"):
        raise InputError("Node.js is not on PATH. The CDK's command line needs version 22 or newer.")
    program = shutil.which("cdk", path=str(project / "node_modules" / ".bin")) or shutil.which("cdk")
    if not program:
        raise InputError("The CDK's command line is missing. Run `npm ci` in the project's folder.")
    return program
