"""The set-up brings its own Node.js, and what needs Python or Node finds the project's, whatever else is on PATH."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from groundwork import prerequisites

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(sys.executable).parent
OLD_NODE = "Object.defineProperty(process, 'version', {value: 'v20.20.2'});"


@pytest.fixture
def others_first(tmp_path: Path) -> dict[str, str]:
    """The environment of a shell in which nobody has activated the project's, and other versions come first."""
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    for name in ("python", "node", "npm", "npx", "cdk"):
        (foreign / name).write_text(f"#!/bin/sh\necho the system has another {name} >&2\nexit 1\n")
        (foreign / name).chmod(0o755)
    return {"PATH": f"{foreign}:{os.defpath}", "HOME": str(tmp_path)}


def run(*command: str | Path, environment: dict[str, str], folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_node_is_one_that_the_cdk_supports() -> None:
    done = run(PROGRAMS / "python", "-c", "import aws_cdk; aws_cdk.App()", environment={"PATH": str(PROGRAMS)})
    assert (done.returncode, done.stderr) == (0, "")  # the CDK's bridge warns of what it does not support


@pytest.mark.parametrize("program", ["npm", "npx", "cdk"])
def test_the_programs_of_node_lie_beside_python(program: str) -> None:
    done = run(PROGRAMS / program, "--version", environment={"PATH": f"{PROGRAMS}:{os.defpath}"})
    assert re.match(r"\d+\.\d+", done.stdout), done.stderr


def test_npm_refuses_a_node_that_is_too_old(tmp_path: Path) -> None:
    for name in ("package.json", "package-lock.json", ".npmrc"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    (tmp_path / "old.js").write_text(OLD_NODE)
    environment = {"PATH": str(PROGRAMS), "HOME": str(tmp_path), "NODE_OPTIONS": f"--require {tmp_path}/old.js"}
    done = run(PROGRAMS / "npm", "ci", "--dry-run", "--offline", environment=environment, folder=tmp_path)
    assert done.returncode == 1
    assert "EBADENGINE" in done.stderr
    assert 'Required: {"node":">=22"}' in done.stderr


def test_the_cdk_runs_the_app_with_the_projects_python_and_node(tmp_path: Path, others_first: dict[str, str]) -> None:
    """As the CDK does, in a shell."""
    (tmp_path / ".venv").symlink_to(sys.prefix)
    (tmp_path / "app.py").write_text("import shutil, sys; print(sys.prefix, shutil.which('node'))")
    command = json.loads((ROOT / "cdk.json").read_text())["app"]
    done = run("sh", "-c", command, environment=others_first, folder=tmp_path)
    assert done.stdout.split() == [str(tmp_path / ".venv"), str(tmp_path / ".venv" / "bin" / "node")], done.stderr


def test_the_command_line_finds_node_without_an_activated_environment(others_first: dict[str, str]) -> None:
    done = run(sys.executable, "-m", "groundwork", "cost", "TerminationAlarm", environment=others_first)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("section", ["Try it", "Deploy to AWS"])
def test_a_section_of_the_readme_can_be_pasted_into_a_new_shell(section: str, others_first: dict[str, str]) -> None:
    text = (ROOT / "README.md").read_text().partition(f"\n## {section}\n")[2]
    lines = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)[0].splitlines()
    activated = lines.index(next(line for line in lines if line.startswith("source ")))
    for line in lines:
        assert "<" not in line, "a shell would look for a file of that name"
    used = {word for line in lines for word in re.findall(r"(?:^|&& |\$\()(\w+)", line)} - {"make", "source", "eval"}
    assert not {line.split()[0] for line in lines[:activated]} & used
    script = "\n".join([lines[activated].partition(" #")[0], *(f"command -v {name}" for name in sorted(used))])
    done = run("bash", "-c", script, environment=others_first)
    places = {Path(path).name: Path(path).parent.resolve() for path in done.stdout.split()}
    assert places == dict.fromkeys(used, Path(sys.prefix).resolve() / "bin"), done.stderr


def test_the_container_of_editors_has_what_the_set_up_needs_and_the_readme_names() -> None:
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    dockerfile = (ROOT / ".devcontainer" / container["build"]["dockerfile"]).read_text()
    [image] = re.findall(r"^FROM (.+)", dockerfile, re.MULTILINE)
    python, system = re.fullmatch(r"python:([\d.]+)-(\w+)", image).groups()  # type: ignore[union-attr]
    assert (system, tuple(map(int, python.split("."))) >= prerequisites.PYTHON) == ("bookworm", True)  # Debian 12
    assert "Debian 12" in (ROOT / "README.md").read_text()
    assert int(container["hostRequirements"]["storage"].removesuffix("gb")) > prerequisites.DISK_GB
    assert container["postCreateCommand"] == "make setup"
    places = container["remoteEnv"]["PATH"].split(":")
    assert places[:2] == ["${containerWorkspaceFolder}/.venv/bin", "${containerWorkspaceFolder}/node_modules/.bin"]


def test_the_readme_says_which_disk_systems_and_processors_the_set_up_asks_for() -> None:
    readme = " ".join((ROOT / "README.md").read_text().split())
    words = (f"{prerequisites.DISK_GB} GB of disk space", "Debian 12", "Ubuntu 22.04", "macOS 14", "x86-64", "arm64")
    assert [word for word in words if word not in readme] == []


def test_a_set_up_without_a_program_fails_and_is_not_taken_for_done(tmp_path: Path) -> None:
    """With the recipe of the Makefile, and a Python that finds no program."""
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    python = tmp_path / ".venv" / "bin" / "python"
    python.write_text("#!/bin/sh\nexit 2\n")
    python.chmod(0o755)
    makefile = ROOT / "Makefile"
    done = run("make", "--file", makefile, "programs", environment={"PATH": os.defpath}, folder=tmp_path)
    assert done.returncode != 0
    assert "installed in" not in done.stdout
    assert not (tmp_path / ".venv" / ".installed").exists()
