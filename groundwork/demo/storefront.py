"""The storefront on its stack: filled, served as its instance serves it, visited and photographed."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from contract.stacks import WebAppOutput
from groundwork import engines
from groundwork.demo.checklist import Checklist
from groundwork.demo.cli import run
from groundwork.site import STACK, Site, storefront
from localcloud import LocalCloud
from localcloud.engines.programs import environment

DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


def visit(cloud: LocalCloud, report: Checklist, results: Path) -> None:
    """Load the catalogue into the deployed stack, serve it, rent a film in a browser, and take pictures."""
    report.step("The catalogue goes into the database, posters go into the bucket")
    outputs = cloud.outputs(STACK)
    pages = cloud.client("rds").get_paginator("describe_db_instances").paginate()
    instances = (instance for page in pages for instance in page["DBInstances"])
    port = int(outputs[WebAppOutput.DATABASE_PORT])
    database = next(instance for instance in instances if instance["Endpoint"]["Port"] == port)
    private = database["StorageEncrypted"] is True and database["PubliclyAccessible"] is False
    report.promise("the database is encrypted, and not public", held=private)
    trusting = ("--stack", STACK, "--database-ca", str(cloud.certificate_authority))
    run(cloud, report, "storefront", "init", *trusting)
    run(cloud, report, "storefront", "load", *trusting)
    [member] = run(cloud, report, "storefront", "cards", "--limit", "1", *trusting)["cards"]
    listed = (
        cloud.client("s3").get_paginator("list_objects_v2").paginate(Bucket=outputs[WebAppOutput.ASSETS_BUCKET_NAME])
    )
    posters = sum(page["KeyCount"] for page in listed)
    report.promise("the bucket holds a poster for each film", held=posters > 1, seen=f"{posters:,} files")

    folder = results / "storefront"
    with storefront(cloud, folder / "logs") as site:
        report.step("The site is served as its instance serves it")
        report.fact("served by", site.server)
        report.fact("address", site.url)
        with urllib.request.urlopen(f"{site.url}/readyz", timeout=30) as response:  # noqa: S310 - on this machine
            ready = json.load(response)
        report.promise("database and bucket answer", held=ready["status"] == "ok", seen=ready)
        _look_around(report, site, folder)
        report.step("A member rents a film, and brings it back")
        _rent(report, site, folder, member["card"], member["last_name"])


def _look_around(report: Checklist, site: Site, folder: Path) -> None:
    """See the catalogue, as on a desk and on a phone."""
    with _browser(site, DESKTOP) as page:
        page.goto("/")
        films = page.locator("main img").count()
        report.promise("a visitor sees films", held=films > 0, seen=f"{films} posters on the first page")
        sources = page.evaluate("[...document.images].map(image => image.src)")
        missing = [source for source in sources if not page.request.get(source).ok]
        report.promise("every poster is there", held=not missing, seen=missing or f"{len(sources)} pictures")
        _photograph(report, page, folder / "catalogue.png", "The storefront's catalogue")
    with _browser(site, PHONE) as page:
        page.goto("/")
        wide = page.evaluate("document.documentElement.scrollWidth")
        report.promise("on a phone nothing is cut off", held=wide <= PHONE["width"], seen=f"{wide} pixels wide")
        _photograph(report, page, folder / "phone.png", "The storefront on a phone")


def _rent(report: Checklist, site: Site, folder: Path, card: str, last_name: str) -> None:
    """Sign in with a card, rent the first film that is in, and return it."""
    with _browser(site, DESKTOP) as page:
        page.goto("/sign-in")
        page.get_by_label("Card number").fill(card)
        page.get_by_label("Last name").fill(last_name)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/rentals")
        page.goto("/?available=yes")
        films = page.locator("a[href^='/films/']")
        addresses = [str(films.nth(number).get_attribute("href")) for number in range(films.count())]
        for address in addresses:
            page.goto(address)
            button = page.get_by_role("button", name="Rent for").first
            if button.count():
                break
        title = page.get_by_role("heading", level=1).inner_text()
        button.click()
        message = page.get_by_role("status").inner_text()
        report.promise("a film is rented", held=f"Enjoy {title}!" in message, seen=message)
        page.goto("/rentals")
        _photograph(report, page, folder / "rentals.png", "What the member has at home")
        page.get_by_role("button", name=f"Return {title}").click()
        message = page.get_by_role("status").inner_text()
        report.promise("and returned", held=title in message, seen=message)


def _photograph(report: Checklist, page: Page, path: Path, caption: str) -> None:
    page.screenshot(path=path)
    report.promise(f"{caption}: photographed", held=path.stat().st_size > 0, seen=path)
    report.picture(path, caption)


@contextmanager
def _browser(site: Site, size: dict[str, int]) -> Iterator[Page]:
    """A page of the site in Chromium without a screen."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=engines.find("chromium-headless-shell"),
            env=dict(environment()),
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        )
        yield browser.new_page(base_url=site.url, viewport={"width": size["width"], "height": size["height"]})
        browser.close()
