"""The bundle that containers run: what is in it, where its packages come from, what happens without network."""

from __future__ import annotations

import re
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from typer.testing import CliRunner

from infra import PROJECT, packing
from infra.commands import app

PINNED = re.compile(r"^[a-z0-9.-]+==\S+( ;[^\n]+)? \\\n(    --hash=sha256:[0-9a-f]{64}( \\)?\n?)+", re.MULTILINE)


def test_the_bundle_has_the_wheels_that_the_images_lack_and_the_pins_of_all_packages(code_bundle: Path) -> None:
    with zipfile.ZipFile(code_bundle) as bundle:
        names = bundle.namelist()
        locks = {name: bundle.read(name).decode() for name in names if name.endswith(".lock")}
    wheels = {name.split("/")[-1].split("-")[0] for name in names if name.endswith(".whl")}
    assert wheels == {"alembic", "colorlog", "optuna", "safetensors", "seaborn", "sqlalchemy"}
    assert set(locks) == {requirements.replace(".txt", ".lock") for requirements in packing.REQUIREMENTS}
    for lock in locks.values():
        assert len(PINNED.findall(lock)) == lock.count("==") - lock.count(" == '")
    assert {"scikit-learn", "numpy", "botocore", "sqlalchemy"} <= pins(locks["workloads/requirements.lock"])
    assert {"psycopg-binary", "certifi"} <= pins(locks["workloads/movie_rental/requirements.lock"])


def pins(lock: str) -> set[str]:
    """The packages that a list pins."""
    return set(re.findall(r"^([a-z0-9.-]+)==", lock, re.MULTILINE))


@pytest.mark.parametrize("requirements", packing.REQUIREMENTS)
def test_the_pins_hold_what_each_pinned_package_needs(requirements: str) -> None:
    from importlib.metadata import requires

    names = packing._names(PROJECT / requirements)
    locked = pins("\n".join(packing.locked(names)))
    for name in locked - {"colorama", "tzdata"}:  # of other systems
        needed = [Requirement(line) for line in requires(name) or []]
        here = {need.name.lower().replace("_", "-") for need in needed if not need.marker or need.marker.evaluate()}
        assert here <= locked, name


def test_the_same_code_makes_the_same_bundle(code_bundle: Path, tmp_path: Path) -> None:
    assert packing.packed(tmp_path / "again.zip").path.read_bytes() == code_bundle.read_bytes()


def test_wheels_are_downloaded_once_and_checked_by_their_hashes(
    code_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = tmp_path / "wheels"
    stored.mkdir()
    for wheel in packing._wheels()[0]:
        (stored / wheel.name).write_bytes(wheel.read_bytes())
    monkeypatch.setattr(packing, "STORE", tmp_path)
    monkeypatch.setattr(packing.subprocess, "run", offline)
    assert len(packing._wheels()[0]) == 6  # without pip
    next(stored.glob("optuna*")).write_bytes(b"something else")
    assert packing._wheels() == ([], "No matching distribution found")


def offline(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
    """What pip says where there is no way to the index."""
    assert {"--require-hashes", "--only-binary", "--no-deps"} <= set(command)
    return subprocess.CompletedProcess(command, 1, "", "WARNING: Retrying\nERROR: No matching distribution found.\n")


def test_without_network_the_bundle_has_no_wheels_and_says_what_follows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "STORE", tmp_path)
    monkeypatch.setattr(packing.subprocess, "run", offline)
    bundle = packing.packed(tmp_path / "code.zip")
    assert "No matching distribution found. Jobs install the same versions" in bundle.missing
    with zipfile.ZipFile(bundle.path) as archive:
        assert not [name for name in archive.namelist() if name.endswith(".whl")]


def test_a_command_writes_the_bundle(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["bundle", str(tmp_path / "code.zip")])
    assert done.exit_code == 0, done.output
    assert zipfile.is_zipfile(tmp_path / "code.zip")


@pytest.mark.parametrize("name", ["code.tar", "no-folder-of/a.zip/b.zip"])
def test_the_command_refuses_a_place_where_no_bundle_can_be(tmp_path: Path, name: str) -> None:
    (tmp_path / "no-folder-of").mkdir()
    (tmp_path / "no-folder-of" / "a.zip").write_text("")
    done = CliRunner().invoke(app, ["bundle", str(tmp_path / name)])
    assert done.exit_code == 1
    assert str(done.exception).startswith(str(tmp_path / name))
    assert not (tmp_path / "code.tar").exists()
