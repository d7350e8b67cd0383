"""Only folders that Groundwork has made are removed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from localcloud import LocalCloudError
from localcloud.cloud import disposable, outside, remains

MARK = ".made-by-a-test"


def make(folder: Path) -> None:
    disposable.make(folder, MARK, explanation="A test has made this.")


def test_a_folder_that_carries_the_mark_is_emptied(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    make(folder)
    assert (folder / MARK).read_text() == "A test has made this.\n"
    (folder / "file").touch()
    (folder / "folder" / "below").mkdir(parents=True)
    (folder / "link").symlink_to(tmp_path)
    (tmp_path / "outside").touch()
    make(folder)
    assert [path.name for path in folder.iterdir()] == [MARK]
    assert (tmp_path / "outside").exists()
    assert disposable.remove(folder, MARK)
    assert not folder.exists()


def test_a_folder_with_anything_else_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").touch()
    with pytest.raises(LocalCloudError, match=r"there is no \.made-by-a-test.*choose another folder"):
        make(tmp_path)
    assert not disposable.remove(tmp_path, MARK)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.jpg", "photos"]


def test_an_empty_folder_may_be_used_and_a_file_may_not(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    make(tmp_path / "empty")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(LocalCloudError, match="file is a file, not a folder"):
        make(tmp_path / "file")
    with pytest.raises(LocalCloudError, match="cannot be written: Not a directory"):
        make(tmp_path / "file" / "below")
    assert (tmp_path / "file").read_text() == "mine"


def test_read_only_folders_are_removed_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    below = tmp_path / "made" / "module" / "below"
    make(tmp_path / "made")
    below.mkdir(parents=True)
    (below / "file").touch()
    monkeypatch.chdir(tmp_path / "made")
    if not (child := os.fork()):
        try:
            if os.getuid() == 0:  # which nothing is read-only to
                for path in (tmp_path / "made", *(tmp_path / "made").rglob("*")):
                    os.chown(path, 65534, -1)
                os.setuid(65534)
            for path in (Path("module/below"), Path("module")):
                path.chmod(0o500)
            disposable.make(Path(), MARK, explanation="A test has made this.")
        finally:
            os._exit(0 if os.listdir() == [MARK] else 1)  # noqa: PTH208
    assert os.waitpid(child, 0)[1] == 0


def test_a_clouds_data_replace_no_folder_of_somebody_else(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "thesis.tex").touch()
    with pytest.raises(LocalCloudError, match="data holds files of somebody else"):
        remains.make(tmp_path)
    assert not remains.remove(tmp_path)
    assert (tmp_path / "data" / "thesis.tex").exists()


def test_temporary_folders_of_killed_processes_are_removed_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outside, "PLACE", tmp_path)
    code = (
        "import os, signal, sys; from pathlib import Path; from localcloud.cloud import outside\n"
        "outside.PLACE = Path(sys.argv[1]); print(outside.make()); sys.stdout.flush(); os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    left = Path(killed.stdout.strip())
    assert left.is_dir()
    mine, public = outside.make(), outside.make(public=True)
    assert (mine.stat().st_mode & 0o777, public.stat().st_mode & 0o777) == (0o700, 0o755)
    unmarked = tmp_path / f"{outside.PREFIX}photos"
    unmarked.mkdir()
    link = tmp_path / f"{outside.PREFIX}link"
    link.symlink_to(unmarked)
    outside.sweep()
    assert not left.exists()
    assert all(folder.exists() for folder in (mine, public, unmarked, link))
    outside.remove_all()
    assert {path.name for path in tmp_path.iterdir()} == {f"{outside.PREFIX}link", f"{outside.PREFIX}photos"}
