"""Before anything is downloaded, a machine that cannot run Groundwork is told so, with what to do."""

from __future__ import annotations

import ast
import platform
import shutil
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from groundwork import prerequisites

Usage = namedtuple("Usage", "free")  # noqa: PYI024 - as shutil returns it


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """A machine that has everything, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "version_info", (3, 12, 4))
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", "2.36"))
    monkeypatch.setattr(platform, "mac_ver", lambda: ("14.2", ("", "", ""), ""))
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: Usage(free=50e9))
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    return monkeypatch


def set_system(machine: pytest.MonkeyPatch, name: str, processor: str) -> None:
    machine.setattr(platform, "system", lambda: name)
    machine.setattr(platform, "machine", lambda: processor)


@pytest.mark.parametrize(("name", "processor"), [("Linux", "x86_64"), ("Linux", "aarch64"), ("Darwin", "arm64")])
def test_machines_for_which_all_packages_exist_are_accepted(
    machine: pytest.MonkeyPatch, name: str, processor: str
) -> None:
    set_system(machine, name, processor)
    assert prerequisites.refusals() == []


@pytest.mark.parametrize(
    ("name", "processor", "words"),
    [
        ("Windows", "AMD64", "Use the Windows Subsystem for Linux"),
        ("Darwin", "x86_64", "Intel processor there are no packages of torch, torchvision, arcadedb-embedded"),
        ("Linux", "riscv64", "no package for the processor riscv64"),
    ],
)
def test_other_machines_are_refused_by_name(machine: pytest.MonkeyPatch, name: str, processor: str, words: str) -> None:
    set_system(machine, name, processor)
    [reason] = prerequisites.refusals()
    assert words in reason


@pytest.mark.parametrize(
    ("library", "words"),
    [(("glibc", "2.31"), "has glibc 2.31, and 2.34 or newer is needed"), (("", ""), "does not use the GNU C library")],
)
def test_a_linux_for_which_no_packages_are_made_is_refused(
    machine: pytest.MonkeyPatch, library: tuple[str, str], words: str
) -> None:
    machine.setattr(platform, "libc_ver", lambda: library)
    [reason] = prerequisites.refusals()
    assert words in reason


def test_an_old_macos_is_refused(machine: pytest.MonkeyPatch) -> None:
    set_system(machine, "Darwin", "arm64")
    machine.setattr(platform, "mac_ver", lambda: ("13.6.1", ("", "", ""), ""))
    assert prerequisites.refusals() == ["This is macOS 13.6.1, and PyTorch needs macOS 14. Update it."]


def test_an_old_python_is_refused_in_a_syntax_that_it_understands(
    machine: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.setattr(sys, "version_info", (3, 9, 2))
    assert prerequisites.main() == 2
    assert capsys.readouterr().err.startswith("Error: This is Python 3.9, and 3.11 or newer is needed.")
    ast.parse(Path(prerequisites.__file__).read_text(), feature_version=(3, 7))


def test_a_python_without_virtual_environments_is_refused(machine: pytest.MonkeyPatch) -> None:
    machine.setattr(prerequisites, "find_spec", lambda name: None if name == "ensurepip" else object())
    [reason] = prerequisites.refusals()
    assert reason.endswith("Install the package python3-venv.")


def test_a_full_disk_is_refused_before_the_download_and_not_after_it(
    machine: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine.setattr(shutil, "disk_usage", lambda _folder: Usage(free=3e9))
    [reason] = prerequisites.refusals()
    assert reason == f"{tmp_path}: There are 3.0 GB free, and set-up needs 10 GB. Make room."
    (tmp_path / ".venv").mkdir()
    assert prerequisites.refusals() == []


def test_without_apt_each_missing_program_is_named_with_what_needs_it(
    machine: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.setattr(shutil, "which", lambda name: "/usr/bin/influxd" if name == "influxd" else None)
    assert prerequisites.main() == 2
    errors = capsys.readouterr().err.splitlines()
    assert errors[0] == "Error: mariadbd is missing: WebApp and its storefront will not run. Install it."
    assert len(errors) == 3


def test_where_groundwork_runs_the_set_up_says_on_what_and_what_it_takes(
    machine: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert prerequisites.main() == 0
    said = capsys.readouterr().out
    assert all(word in said for word in ("Linux", "macOS", "x86-64", "arm64", "10 GB", "minutes"))
