"""The demonstration's page in a real browser: light and dark, on a desk and on a phone, with a figure and a report."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest
from matplotlib.figure import Figure
from PIL import Image
from playwright.sync_api import Browser, expect
from rich.console import Console

from groundwork.demo import page as demo_page
from groundwork.demo.checklist import Checklist
from tests.e2e.accessibility import assert_readable

TEMPLATE: dict[str, Any] = {
    "Description": "A rule that starts a function, which writes to a table.",
    "Resources": {
        "Rule": {
            "Type": "AWS::Events::Rule",
            "Properties": {"Targets": [{"Arn": {"Fn::GetAtt": ["Function", "Arn"]}}]},
        },
        "Function": {"Type": "AWS::Lambda::Function", "Properties": {"Environment": {"Ref": "Table"}}},
        "Table": {"Type": "AWS::DynamoDB::Table", "Properties": {}},
    },
    "Outputs": {"TableName": {"Value": {"Ref": "Table"}, "Description": "The table."}},
}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of a demonstration with one stack."""
    folder = tmp_path_factory.mktemp("demo")
    figure = Figure(figsize=(8, 3), layout="constrained")
    figure.add_subplot().plot([1, 2, 3])
    figure.savefig(folder / "figure.png", dpi=130)
    (folder / "report.html").write_text("<!doctype html><title>report</title>")
    report = Checklist(Console(quiet=True))
    report.step("Deploy it")
    report.promise("it is deployed", held=True, seen="3 resources")
    report.stack = "Stack"
    report.step("Ask it")
    report.fact("address", "localhost")
    report.output("groundwork ask", "an answer\n" * 40)
    report.promise("it answers", held=True, seen=42)
    report.picture(folder / "figure.png", "How the answer grew", "A line from 1 to 3")
    first, *others = (Image.new("L", (60, 40), shade) for shade in range(0, 240, 20))
    first.save(folder / "film.gif", save_all=True, append_images=others, duration=100)
    report.picture(folder / "film.gif", "What it learnt", "Digits that become clear")
    report.document("the model", folder / "report.html")
    report.finish()
    sections = [demo_page.section("Stack", TEMPLATE, {"TableName": "table-1"}, report.steps)]
    demo_page.write(folder / "index.html", report, sections, "http://localhost:1/")
    return (folder / "index.html").as_uri()


@pytest.mark.parametrize("forced", ["none", "active"])
@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 1440), ("light", 390), ("dark", 390)])
def test_the_page_can_be_read_by_everybody(
    browser: Browser,
    address: str,
    scheme: Literal["light", "dark"],
    width: int,
    forced: Literal["none", "active"],
) -> None:
    assert_readable(browser, address, scheme=scheme, width=width, forced=forced)


def test_the_verdict_comes_first_then_the_checks_and_pictures_are_folded(browser: Browser, address: str) -> None:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(address)
    verdict = page.get_by_role("row", name="Stack works")
    expect(verdict).to_be_in_viewport()
    expect(verdict.get_by_role("link", name="the model")).to_have_attribute("href", "report.html")
    expect(page.get_by_text("it answers")).to_be_visible()
    expect(page.get_by_role("img", name="A line from 1 to 3")).to_be_hidden()
    page.get_by_text("2 pictures: Ask it").click()
    expect(page.get_by_role("img", name="A line from 1 to 3")).to_be_visible()
    page.close()


@pytest.mark.parametrize("width", [390, 1440])
def test_the_text_of_a_figure_is_at_least_eleven_pixels_tall(browser: Browser, address: str, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto(address)
    page.get_by_text("2 pictures: Ask it").click()
    shown = page.locator("figure .wide img").evaluate("image => 10 * 130 / 72 * image.clientWidth / image.naturalWidth")
    assert shown >= 11
    page.close()


def test_a_film_stands_still_and_is_stepped_through_with_the_keyboard(browser: Browser, address: str) -> None:
    page = browser.new_page()
    page.goto(address)
    page.get_by_text("2 pictures: Ask it").click()
    shown = page.locator(".frames img:visible")
    expect(shown).to_have_count(1)
    expect(shown).to_have_attribute("alt", "Digits that become clear: moment 9 of 9")
    page.get_by_role("radio", name="9", exact=True).focus()
    page.keyboard.press("ArrowLeft")
    expect(shown).to_have_attribute("alt", "Digits that become clear: moment 8 of 9")
    page.locator(".film label").first.click()
    expect(shown).to_have_attribute("alt", "Digits that become clear: moment 1 of 9")
    assert "image/gif" not in page.content()
    page.close()


def test_what_is_folded_is_printed(browser: Browser, address: str) -> None:
    page = browser.new_page()
    page.goto(address)
    page.emulate_media(media="print")
    assert page.locator("figure .wide img").evaluate("image => image.getBoundingClientRect().height") > 0
    page.close()


def test_a_stack_is_a_link_into_the_console_of_a_cloud_that_keeps_running(browser: Browser, address: str) -> None:
    page = browser.new_page()
    page.goto(address)
    link = page.get_by_role("link", name="Stack in the console")
    expect(link).to_have_attribute("href", "http://localhost:1/stacks/Stack")
    page.close()


def test_the_report_is_where_the_link_leads(browser: Browser, address: str, tmp_path: Path) -> None:
    page = browser.new_page()
    page.goto(address)
    page.get_by_role("link", name="the model").click()
    expect(page).to_have_title("report")
    page.close()
