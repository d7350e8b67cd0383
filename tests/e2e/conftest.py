"""A real browser, for the pages that we make."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from groundwork import engines
from localcloud.engines.programs import environment


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium without a screen."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=engines.find("chromium-headless-shell"),
            env=environment(),  # type: ignore[arg-type] (a Mapping would do)
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--host-resolver-rules=MAP *.example 127.0.0.1",  # a site of somebody else, and DNS rebinding
            ],
        )
        yield running
        running.close()
