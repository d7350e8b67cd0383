"""The app: a wrong setting ends it with one line."""

import json
import os
import subprocess
import sys
from pathlib import Path


def test_a_wrong_setting_ends_the_app_with_one_line_and_exit_code_2(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "app.py"],
        env=os.environ
        | {"CDK_CONTEXT_JSON": json.dumps({"training.job_attempt": "3"}), "CDK_OUTDIR": str(tmp_path / "out")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if not line.startswith("b'!!")]  # Node's own notice
    assert len(lines) == 1
    assert lines[0].startswith('Error: unknown setting "training.job_attempt"; did you mean "training.job_attempts"?')
    assert not list(tmp_path.rglob("*.template.json"))
