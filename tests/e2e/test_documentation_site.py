"""The documentation is a site, too, which is built from the same pages and can be searched."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Browser, Page

from tests.e2e.accessibility import axe_violations

ROOT = Path(__file__).parents[2]
GENERATOR = ROOT / ".groundwork" / "docs" / "bin" / "sphinx-build"


def build(source: Path, site: str) -> subprocess.CompletedProcess[str]:
    """Build the site as `make docs` does; a warning is an error."""
    command = [GENERATOR, "--quiet", "--fail-on-warning", "-c", ROOT / "docs" / "site", source, site]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the site."""
    folder = tmp_path_factory.mktemp("site")
    built = build(ROOT, folder)
    assert built.returncode == 0, built.stderr
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=folder)) as server:
        Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def page(browser: Browser, site: str) -> Iterator[Page]:
    """A page on which nothing may fail, and from which no request may leave the machine."""
    opened, faults = browser.new_page(), []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on("requestfailed", lambda request: faults.append(request.url))
    opened.on("request", lambda request: request.url.startswith(site) or faults.append(request.url))
    yield opened
    opened.close()
    assert faults == []


def test_the_first_page_leads_to_all_others(page: Page, site: str) -> None:
    page.goto(f"{site}/")
    page.wait_for_url("**/docs/README.html")
    assert page.locator(".sidebar-tree .caption").all_text_contents()[1:3] == [
        "You train models",
        "You run things on AWS",
    ]
    page.locator(".sidebar-tree").get_by_role("link", name="WebApp").click()
    page.wait_for_url("**/docs/stacks/web-app.html")


def test_a_search_finds_the_page_that_has_the_words(page: Page, site: str) -> None:
    page.goto(f"{site}/search.html?q=runnable")
    page.locator("#search-results a[href*='docs/operations']").first.wait_for()


def test_diagrams_are_drawn(page: Page, site: str) -> None:
    page.goto(f"{site}/docs/architecture.html")
    page.locator("pre.mermaid svg").nth(2).wait_for()


def test_the_reference_of_constructs_has_arguments_and_examples(page: Page, site: str) -> None:
    page.goto(f"{site}/docs/api/constructs.html")
    queue = page.locator("dl", has=page.locator("[id='infra.constructs.jobs.job_queue']"))
    assert "longest_wait_seconds" in queue.locator("dt").first.inner_text()
    assert 'job_queue(self, "Queue"' in queue.locator("pre").first.inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["docs/README", "docs/stacks/training", "docs/api/runtime"])
def test_nothing_keeps_people_from_reading_a_page(page: Page, site: str, name: str, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(f"{site}/{name}.html")
    assert axe_violations(page) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("# Page\n\n[elsewhere](nowhere.md)\n", "nowhere.md"),
        ("# Page\n\n[a heading](#missing)\n", "missing"),
    ],
)
def test_a_link_that_leads_nowhere_fails_the_build(tmp_path: Path, text: str, fault: str) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "README.md").write_text(text)
    built = build(tmp_path, tmp_path / "site")
    assert built.returncode == 1
    assert fault in built.stderr
