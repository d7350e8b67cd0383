"""The AWS command line, which the CDK brings along for functions of its own: nothing else here needs it installed."""

from __future__ import annotations

import shlex
import sys
import tarfile
import zipfile
from importlib.util import find_spec
from pathlib import Path

LAYER = "package/lib/layer.zip"


def install(folder: Path) -> Path:
    """Unpack it into a folder, and return the folder with the program `aws`."""
    [package] = (Path(place) for place in find_spec("aws_cdk.asset_awscli_v1").submodule_search_locations)  # type: ignore[union-attr]
    [archive] = package.glob("_jsii/*.tgz")
    with tarfile.open(archive) as files:
        layer = files.extractfile(LAYER)
        assert layer
        with layer, zipfile.ZipFile(layer) as content:
            content.extractall(folder)  # noqa: S202 - the CDK's, pinned by its hash
    code, program = folder / "awscli", folder / "bin" / "aws"
    program.parent.mkdir()
    words = ["exec", "env", f"PYTHONPATH={code}", sys.executable, str(code / "aws")]
    program.write_text(f'#!/bin/sh\n{shlex.join(words)} "$@"\n')
    program.chmod(0o755)
    return program.parent
