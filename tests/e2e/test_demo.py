"""The main job, as a new user does it: every stack deployed by the CDK itself, every workload run, no account."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from email import policy
from email.parser import BytesParser
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser

from contract.workloads import DATA_SETS, TRAINING, TrainingWorkload
from groundwork.demo.show import PARTS
from tests.e2e.accessibility import CONTRAST, axe_violations

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.timeout(1200)  # a deployment and three training jobs, on whatever machine this is


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    """The demonstration on a clone without data of its own: what it printed, and the folder of its results."""
    results = tmp_path_factory.mktemp("demo") / "results"
    environment = {name: value for name, value in os.environ.items() if name != "GROUNDWORK_DATA"}
    done = subprocess.run(
        [sys.executable, "-m", "groundwork", "demo", "--results", os.path.relpath(results, ROOT)],  # like the default
        cwd=ROOT,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return done, results


def test_every_promise_is_kept(demo: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    done, _ = demo
    assert done.returncode == 0, done.stdout
    assert re.search(r"All \d+ checks passed\.", done.stdout)
    assert done.stdout.count("a sample; GROUNDWORK_DATA may name") == len(DATA_SETS)  # it says which data it used


@pytest.mark.parametrize("workload", TRAINING.values(), ids=lambda workload: workload.name)
def test_the_trained_model_and_its_report_are_there(
    demo: tuple[subprocess.CompletedProcess[str], Path], workload: TrainingWorkload
) -> None:
    run = demo[1] / workload.name
    assert json.loads((run / "metrics.json").read_text())["test"][workload.figure] >= workload.sample.goal
    assert (run / "report.html").read_text().startswith("<!doctype html>")
    assert (run / "model.safetensors").stat().st_size > 1_000


def test_the_fleets_incidents_are_found_by_both_engines(
    demo: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    folder = demo[1] / "devops-metrics"
    for engine in ("influxdb", "liveanalytics"):
        assert len((folder / f"incidents-{engine}.csv").read_text().splitlines()) > 1
        assert (folder / f"incidents-{engine}.png").read_bytes().startswith(b"\x89PNG")


def test_two_mails_came_one_with_the_alarm_and_one_with_the_instance(
    demo: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    mails = [
        BytesParser(policy=policy.default).parsebytes(path.read_bytes())
        for path in sorted((demo[1] / "cloud" / "mailbox").glob("*.eml"))
    ]
    subjects = [str(mail["Subject"]) for mail in mails]
    assert len([subject for subject in subjects if subject.startswith("ALARM")]) == 1, subjects
    assert len([subject for subject in subjects if subject.startswith("Terminated: i-")]) == 1, subjects
    assert {str(mail["To"]) for mail in mails} == {"you@example.com"}


def test_the_page_shows_every_stack_and_is_whole(
    demo: tuple[subprocess.CompletedProcess[str], Path], browser: Browser
) -> None:
    problems: list[str] = []
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.on("console", lambda message: problems.append(message.text))
    page.on("requestfailed", lambda request: problems.append(request.url))
    page.goto((demo[1] / "index.html").as_uri())
    assert problems == []
    sections = page.locator("main > section[id]")
    assert [sections.nth(index).get_attribute("id") for index in range(sections.count())] == list(PARTS)
    assert page.locator("svg.diagram").count() == len(PARTS)
    pictures = page.locator("img")
    assert pictures.count() > 20
    for index in range(pictures.count()):
        picture = pictures.nth(index)
        assert len(picture.get_attribute("alt") or "") > 10
        assert picture.evaluate("image => image.naturalWidth") > 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_can_be_read_on_a_phone_in_light_and_dark(
    demo: tuple[subprocess.CompletedProcess[str], Path], browser: Browser, scheme: Literal["light", "dark"]
) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    page.goto((demo[1] / "index.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true })")
    assert axe_violations(page) == []
    texts = page.evaluate(CONTRAST)
    assert len(texts) > 100
    assert [text for text in texts if text["ratio"] < text["needed"]] == []


def test_nothing_runs_on_afterwards(demo: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    assert not (demo[1] / "cloud" / "state.json").exists()


def test_a_failed_deployment_ends_it_with_the_reason_and_the_place_of_the_logs(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "groundwork", "demo", "--results", str(tmp_path / "results")],
        cwd=tmp_path,  # no cdk.json here
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert done.returncode == 1
    assert "✘" in done.stdout
    assert str(tmp_path / "results" / "cloud") in done.stdout.replace("\n", "")
    assert "Traceback" not in done.stdout
