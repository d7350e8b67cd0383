"""Engines are found on PATH or where they were unpacked; what is missing is said in a line."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from contract.errors import InputError
from groundwork import engines


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing on PATH, nothing unpacked."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(engines, "FOLDER", tmp_path / "set-up" / "engines")
    return tmp_path


def program(folder: Path, name: str = "influxd") -> Path:
    folder.mkdir(parents=True)
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_a_program_on_path_comes_first(nowhere: Path) -> None:
    program(engines.FOLDER / "usr" / "bin")
    own = program(nowhere / "bin")
    assert engines.find("influxd") == str(own)


def test_an_unpacked_program_is_found(nowhere: Path) -> None:
    unpacked = program(engines.FOLDER / "usr" / "bin")
    assert engines.find("influxd") == str(unpacked)


def test_a_whole_chromium_does_where_its_shell_is_missing(nowhere: Path) -> None:
    whole = program(nowhere / "bin", "chromium")
    assert engines.find("chromium-headless-shell") == str(whole)
    shell = program(engines.FOLDER / "usr" / "lib" / "chromium", "chromium-headless-shell")
    assert engines.find("chromium-headless-shell") == str(shell)


def test_a_missing_program_is_said_in_one_line_with_what_to_do() -> None:
    with pytest.raises(InputError, match=r"influxd is missing\. Run `.*python.* -m groundwork\.engines`") as error:
        engines.find("influxd")
    assert "\n" not in str(error.value)


def test_without_debians_tools_the_set_up_names_what_is_missing_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert engines.main() == 2
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "influxd: There is no apt-get here. Install influxdb so that it is on PATH."
    assert len(said) == len(engines.PACKAGES) - len(engines.DEVELOPMENT)


def test_a_download_that_fails_is_said_with_its_reason_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 100, "", "W: no list\nE: Unable to locate package influxdb\n")

    monkeypatch.setattr(shutil, "which", lambda name, **_: name if name not in engines.PACKAGES else None)
    monkeypatch.setattr(subprocess, "run", run)
    assert engines.main() == 75
    assert capsys.readouterr().out.startswith(
        "influxd: The command apt-get failed: E: Unable to locate package influxdb. Run `make` again, or install "
        "influxdb so that it is on PATH.\n"
    )
    assert list(engines.FOLDER.parent.iterdir()) == []


def test_lists_of_packages_are_fetched_once_for_all_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[str]()

    def run(command: list[str], cwd: Path, **_: Any) -> subprocess.CompletedProcess[str]:
        asked.append(command[1])
        if command[1] == "update":
            (cwd.parent / "lists" / "debian_main_Packages").touch()
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(shutil, "which", lambda name, **_: name if name in {"apt-get", "dpkg"} else None)
    monkeypatch.setattr(subprocess, "run", run)
    engines.main()
    assert asked.count("update") == 1
    assert asked.count("install") == len(engines.PACKAGES) - len(engines.DEVELOPMENT)


def test_a_package_that_cannot_be_unpacked_keeps_no_other_program_from_being(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bin"
    path.mkdir()
    for name, script in {
        "apt-get": """case "$*" in *install*)
            for package; do case $package in *Dir::Cache::archives=*) cd "${package##*=}";; esac; done
            echo "$package" > "$package.deb";; esac""",
        "dpkg": """read -r package < "$2"
            [ "$package" != influxdb ] || { echo "dpkg-deb: error: not a Debian archive" >&2; exit 2; }
            mkdir -p "$3/usr/bin" && touch "$3/usr/bin/$package" && chmod +x "$3/usr/bin/$package\"""",
    }.items():
        (path / name).write_text(f"#!/bin/sh\n{script}\n")
        (path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{path}:/usr/bin:/bin")
    which = shutil.which
    monkeypatch.setattr(
        shutil, "which", lambda name, path=None: which(name, path=path) if path or name in {"apt-get", "dpkg"} else None
    )
    assert engines.main(["influxd", "wrk", "shellcheck"]) == 75
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("influxd: The command sh failed: dpkg-deb: error: not a Debian archive. Run `make` again")
    for name in ("wrk", "shellcheck"):
        assert any(line.startswith(f"{name}: {engines.FOLDER}/usr/bin/{name} (") for line in said)


@pytest.mark.parametrize("name", engines.PACKAGES)
def test_the_message_about_a_missing_program_has_the_command_that_fetches_it(
    name: str, nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError) as missing:
        engines.find(name)
    command = f"-m groundwork.engines{f' {name}' if name in engines.DEVELOPMENT else ''}"
    fetched = list[str]()
    monkeypatch.setattr(engines, "fetch", lambda program, _: fetched.append(program))
    monkeypatch.setattr(engines, "find", lambda program: program)
    assert command in str(missing.value)
    engines.main(command.split()[2:])
    assert name in fetched
