"""The wheel `groundwork-constructs` in an environment without this project: the page's app synthesises and deploys."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from infra.distribution import build
from localcloud import LocalCloud

PAGE = Path(__file__).parents[3] / "docs" / "constructs.md"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("wheel"))


def test_all_of_the_wheel_is_below_one_name(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {re.split(r"[-/]", name)[0] for name in names} == {"groundwork_constructs"}
    assert "groundwork_constructs/lambda/termination_logger/index.py" in names


def test_the_app_of_the_page_deploys(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    python = environment / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-index", "--no-deps", wheel]
    subprocess.run(install, check=True)
    # The other packages are those of this environment; its editable install of this project is not among them.
    [packages] = environment.glob("lib/python*/site-packages")
    (packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    [app] = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(app.splitlines()) <= 10
    (tmp_path / "app.py").write_text(app)
    own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    own["CDK_OUTDIR"] = str(tmp_path / "cdk.out")
    lacks_project = "import importlib.util as util; assert not util.find_spec('infra')"
    subprocess.run([python, "-c", lacks_project], cwd=tmp_path, env=own, check=True)
    subprocess.run([python, "app.py"], cwd=tmp_path, env=own, check=True)
    template = (tmp_path / "cdk.out" / "Fleet.template.json").read_text()
    with LocalCloud(tmp_path / "cloud") as cloud:
        formation = cloud.client("cloudformation")
        formation.create_stack(StackName="Fleet", TemplateBody=template, Capabilities=["CAPABILITY_IAM"])
        formation.get_waiter("stack_create_complete").wait(StackName="Fleet")
        alarm = cloud.outputs("Fleet")["AlarmName"]
        [described] = cloud.client("cloudwatch").describe_alarms(AlarmNames=[alarm])["MetricAlarms"]
    assert described["ActionsEnabled"]
