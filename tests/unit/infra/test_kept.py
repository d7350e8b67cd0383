"""What a synthesis made is given back as long as nothing has changed, and never longer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import pytest

from infra import PROJECT, kept
from localcloud.cloud.account import environment, make_secret_access_key


@dataclass
class Project:
    """A project whose template says all that it was made from."""

    folder: Path
    made: int = 0
    text: str = "a template"
    about: str = ""

    def synthesised(self) -> dict[str, bytes]:
        """What comes out, by path."""
        out = Path(self.folder.parent, f"out-{time.monotonic_ns()}")
        out.mkdir()

        def synthesise() -> None:
            self.made += 1
            (out / "nested").mkdir()
            (out / "Stack.template.json").write_text(self.text)
            (out / "nested/asset.zip").write_bytes(bytes(range(256)))

        kept.synthesised(out, {"settings": self.about}, synthesise)
        return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}

    @property
    def entries(self) -> list[Path]:
        return sorted((self.folder / ".groundwork/synthesised").glob("*.zip"))

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    made = Project(tmp_path / "project")
    for name in ("app.py", "cdk.json", "requirements.txt", "environments/prod.json", "lambda/notify/index.py"):
        made.write(name, "first")
    for name in ("contract/a.py", "infra/stack.py", "infra/regions.yaml", "terminal/a.py", "workloads/train.py"):
        made.write(name, "first")
    packages = tmp_path / "packages"
    (packages / "aws_cdk_lib-2.275.0.dist-info").mkdir(parents=True)
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "node").write_text("#!/bin/sh\n")
    (programs / "node").chmod(0o755)
    monkeypatch.setattr(kept, "PROJECT", made.folder)
    monkeypatch.setattr(kept, "STORE", made.folder / ".groundwork/synthesised")
    monkeypatch.setattr(sys, "path", [*sys.path, str(packages)])
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.chdir(made.folder)
    return made


def test_an_unchanged_project_is_synthesised_once(project: Project) -> None:
    first = project.synthesised()
    assert first == {"Stack.template.json": b"a template", "nested/asset.zip": bytes(range(256))}
    assert [project.synthesised(), project.synthesised()] == [first, first]
    assert project.made == 1


def _package(project: Project) -> None:
    packages = project.folder.parent / "packages"
    (packages / "aws_cdk_lib-2.275.0.dist-info").rename(packages / "aws_cdk_lib-2.276.0.dist-info")


CHANGES: dict[str, Callable[[Project, pytest.MonkeyPatch], object]] = {
    "a stack": lambda project, _: project.write("infra/stack.py", "other"),
    "data of a stack": lambda project, _: project.write("infra/regions.yaml", "other"),
    "the contract": lambda project, _: project.write("contract/a.py", "other"),
    "a function": lambda project, _: project.write("lambda/notify/index.py", "other"),
    "code in the bundle": lambda project, _: project.write("workloads/train.py", "other"),
    "the terminal": lambda project, _: project.write("terminal/a.py", "other"),
    "a pin": lambda project, _: project.write("requirements.txt", "other"),
    "the app": lambda project, _: project.write("app.py", "other"),
    "cdk.json": lambda project, _: project.write("cdk.json", "{}"),
    "settings of an environment": lambda project, _: project.write("environments/prod.json", "{}"),
    "a new environment": lambda project, _: project.write("environments/dev.json", "{}"),
    "a new file": lambda project, _: project.write("workloads/models/new.py", ""),
    "a file less": lambda project, _: (project.folder / "infra/regions.yaml").unlink(),
    "another name": lambda project, _: (project.folder / "workloads/train.py").rename("workloads/fit.py"),
    "settings": lambda project, _: setattr(project, "about", "Training"),
    "the CDK's context": lambda _, patch: patch.setenv("CDK_CONTEXT_JSON", '{"tags.Team": "Films"}'),
    "the account": lambda _, patch: patch.setenv("CDK_DEFAULT_ACCOUNT", "210987654321"),
    "a variable that nobody knows": lambda _, patch: patch.setenv("STAGE", "prod"),
    "a package": lambda project, _: _package(project),
    "Node": lambda project, _: (project.folder.parent / "programs/node").write_text("#!/bin/sh\nexit\n"),
    "Python": lambda _, patch: patch.setattr(sys, "version", "4.0"),
    "the folder": lambda project, patch: patch.chdir(project.folder.parent),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_any_change_of_what_a_template_depends_on_gives_a_new_one(
    change: Callable[[Project, pytest.MonkeyPatch], object], project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.synthesised()
    change(project, monkeypatch)
    project.text = "another template"
    assert project.synthesised()["Stack.template.json"] == b"another template"
    assert project.synthesised()["Stack.template.json"] == b"another template"
    assert project.made == 2


def test_a_synthesis_into_another_folder_uses_the_one_that_is_kept(tmp_path: Path) -> None:
    """The CDK itself runs an app, which notes by what its synthesis would be known."""
    app, noted = tmp_path / "app.py", tmp_path / "keys"
    app.write_text(f"from infra import kept; print(kept._key({{}}), file=open({str(noted)!r}, 'a'))")
    for name in ("one", "two"):
        options = ["--app", f"{sys.executable} {app}", "--output", tmp_path / name, "--no-notices", "--ci"]
        subprocess.run(["cdk", "synth", *options], cwd=PROJECT, capture_output=True, check=False)
    first, second = noted.read_text().splitlines()
    assert first == second


def test_what_changes_no_template_asks_for_no_synthesis(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.synthesised()
    project.write("infra/__pycache__/stack.cpython-311.pyc", "compiled")
    project.write("docs/index.md", "documentation")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3", "CDK_OUTDIR", "SSH_TTY", "OLDPWD"):
        monkeypatch.setenv(name, "other")
    project.synthesised()
    assert project.made == 1


def test_another_local_cloud_asks_for_no_synthesis(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (1, 2):
        folder = tmp_path / f"cloud-{number}"
        folder.mkdir()
        make_secret_access_key(folder)
        for name, value in environment(f"https://localhost:{number}", folder).items():
            monkeypatch.setenv(name, value)
        project.synthesised()
    assert project.made == 1


@pytest.mark.parametrize("way", ["open", "os.open", "Path"])
def test_a_file_that_the_synthesis_reads_counts_wherever_it_is(
    way: str, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = tmp_path / "policy.json"
    policy.write_text("loose")

    def read() -> str:
        if way == "os.open":
            number = os.open("../policy.json", os.O_RDONLY)
            try:
                return os.read(number, 100).decode()
            finally:
                os.close(number)
        with open("../policy.json") if way == "open" else policy.open() as file:  # noqa: PTH123
            return file.read()

    def made() -> str:
        out = tmp_path / "out"
        out.mkdir(exist_ok=True)
        kept.synthesised(out, {}, lambda: (out / "template").write_text(read()) and None)
        return (out / "template").read_text()

    assert made() == "loose"
    policy.write_text("tight")
    assert made() == "tight"
    policy.write_text("loose")
    assert made() == "loose"


def test_a_module_that_lies_elsewhere_counts(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = tmp_path / "packages" / "company_constructs_of_a_test.py"
    module.write_text("NAME = 'first'")
    import_module("company_constructs_of_a_test")
    try:
        project.synthesised()
        project.synthesised()
        assert project.made == 1
        module.write_text("NAME = 'second'")
        project.synthesised()
        assert project.made == 2
    finally:
        del sys.modules["company_constructs_of_a_test"]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "begun": lambda content: content[:40],
    "half": lambda content: content[: len(content) // 2],
    "without its last byte": lambda content: content[:-1],
    "another template": lambda content: content.replace(b"a template", b"b template"),
    "another mark": lambda content: content.replace(b".read.json{", b".read.json["),
    "no archive": lambda content: b"x" * len(content),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_what_is_damaged_is_made_again(damage: Callable[[bytes], bytes], project: Project) -> None:
    first = project.synthesised()
    [entry] = project.entries
    damaged = damage(entry.read_bytes())
    assert damaged != entry.read_bytes()
    entry.write_bytes(damaged)
    assert project.synthesised() == first
    assert project.made == 2
    project.synthesised()
    assert project.made == 2


def test_nothing_is_kept_of_a_synthesis_that_fails(project: Project, tmp_path: Path) -> None:
    def fail() -> None:
        (tmp_path / "half.json").write_text("{")
        raise SystemExit(2)

    with pytest.raises(SystemExit):
        kept.synthesised(tmp_path, {}, fail)
    assert project.entries == []


def test_nothing_is_kept_where_the_project_changes_meanwhile(project: Project, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    kept.synthesised(out, {}, lambda: project.write("infra/stack.py", "changed by an editor"))
    assert project.entries == []


def test_a_bundle_without_its_wheels_is_packed_again(project: Project) -> None:
    project.text = json.dumps({"metadata": kept.UNFINISHED.decode()})
    project.synthesised()
    project.synthesised()
    assert project.made == 2


def test_a_store_that_cannot_be_written_is_done_without(project: Project) -> None:
    project.write(".groundwork/synthesised", "a file where the folder would be")
    assert project.synthesised() == project.synthesised()
    assert project.made == 2


def test_an_installed_package_keeps_nothing(project: Project) -> None:
    (project.folder / "cdk.json").unlink()
    project.synthesised()
    assert not (project.folder / ".groundwork").exists()


def test_only_the_last_ones_are_kept(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "KEPT", 3)
    for number in range(5):
        project.about = str(number)
        project.synthesised()
    assert len(project.entries) == kept.KEPT
    made = project.made
    project.synthesised()
    assert project.made == made


def test_synthesis_at_the_same_time_gives_each_the_whole(project: Project) -> None:
    project.text = "a long template " * 100_000
    with ThreadPoolExecutor(8) as pool:
        results = [*pool.map(lambda _: project.synthesised(), range(24))]
    assert {result["Stack.template.json"].decode() for result in results} == {project.text}
    assert len(project.entries) == 1
    assert not [path for path in project.entries[0].parent.iterdir() if path.suffix != ".zip"]


def test_processes_at_the_same_time_give_each_the_whole(project: Project, tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
from infra import kept
from localcloud.cloud.account import environment, make_secret_access_key
kept.PROJECT, kept.STORE = Path(sys.argv[1]), Path(sys.argv[1], ".groundwork/synthesised")
out = Path(sys.argv[2])
out.mkdir()
kept.synthesised(out, {}, lambda: (out / "template").write_text("long " * 1_000_000) and None)
assert (out / "template").read_text() == "long " * 1_000_000
"""
    repository = str(Path(__file__).parents[3])
    running = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(project.folder), str(tmp_path / f"out-{number}")],
            env=os.environ | {"PYTHONPATH": repository},
        )
        for number in range(6)
    ]
    assert [process.wait() for process in running] == [0] * 6
    assert len(project.entries) == 1
