"""The app: a wrong setting ends it with one line."""

from __future__ import annotations

import runpy
from functools import partial
from pathlib import Path

import aws_cdk
import pytest

APP = Path(__file__).parents[2] / "app.py"


def test_a_wrong_setting_ends_the_app_with_one_line_and_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_context = partial(aws_cdk.App, context={"training.job_attempt": "3"}, outdir=str(tmp_path / "out"))
    monkeypatch.setattr(aws_cdk, "App", with_context)
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(APP), run_name="__main__")
    assert end.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith('Error: There is no setting "training.job_attempt". Did you mean "training.job_attempts"?')
    assert not list(tmp_path.rglob("*.template.json"))
