"""A room of another distribution is installed beside the project's own."""

import os
from pathlib import Path

import pytest

from localcloud import LocalCloud

ROOM = """
from moto.sts.models import STSBackend

from localcloud.cloud.background import folder
from localcloud.hooks import after


@after(STSBackend, "get_caller_identity")
def _asked(*_arguments):
    (folder() / "asked").touch()


def start():
    (folder() / "started").touch()
"""


def test_a_room_of_another_distribution_is_found_by_its_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    (site / "visiting").mkdir(parents=True)
    (site / "visiting" / "__init__.py").touch()
    (site / "visiting" / "room.py").write_text(ROOM)
    metadata = site / "visiting-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: visiting\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[localcloud.services]\nvisiting = visiting.room\n")
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")]))
    with LocalCloud(tmp_path / "cloud") as cloud:
        assert (cloud.folder / "started").exists()
        assert not (cloud.folder / "asked").exists()
        cloud.client("sts").get_caller_identity()
        assert (cloud.folder / "asked").exists()
