"""The storefront as people use it: in a real browser, served by gunicorn, with mouse, keyboard and phone."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
import urllib3
from playwright.sync_api import Browser, Page, expect

from localcloud.cloud import processes
from tests.e2e.accessibility import CONTRAST
from tests.integration.storefront.conftest import Shop, empty_shop, shop

__all__ = ["empty_shop", "shop"]  # fixtures

PAGES = ("/", "/?q=zzzz", "/films/1", "/sign-in", "/nothing", "/?page=x")
MEMBER_PAGES = ("/rentals", "/films/2", "/")

# Links and buttons that are not within a sentence, smaller than WCAG 2.2 asks (24 by 24).
SMALL_TARGETS = """() => [...document.querySelectorAll('a, button, input:not([type=hidden]), select')]
  .filter(e => !e.closest('p, h3, th, .skip, .brand') || e.tagName !== 'A')
  .map(e => [e, e.getBoundingClientRect()]).filter(([, box]) => box.width && (box.width < 24 || box.height < 24))
  .map(([e, box]) => e.outerHTML + ` ${box.width} by ${box.height}`)"""

UNNAMED = """() => [...document.querySelectorAll('a, button, input:not([type=hidden]), select, img, nav, section')]
  .filter(e => {
  if (e.tagName === 'IMG') return !e.hasAttribute('alt');
  const labels = e.labels ? [...e.labels].map(label => label.textContent).join('') : '';
  const ids = (e.getAttribute('aria-labelledby') || '').split(' ');
  const by = ids.map(id => document.getElementById(id)?.textContent || '').join('');
  const own = e.matches('a, button') ? e.textContent : '';
  const name = (e.getAttribute('aria-label') || by || labels || own).trim();
  return !name && !(e.tagName === 'SECTION' && e.querySelector('h1'));
}).map(e => e.outerHTML.slice(0, 200))"""


@pytest.fixture(scope="module")
def address(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The site, served by the project's own command."""
    command = [sys.executable, "-m", "workloads.storefront", "serve", "--bind", "127.0.0.1:0", "--workers", "1"]
    process, listening = processes.serve(
        command,
        log=tmp_path_factory.mktemp("site") / "gunicorn.log",
        environment=os.environ | {"PYTHONPATH": os.getcwd()} | shop.settings.environment(),  # noqa: PTH109
        ready=r"Listening at: http://127.0.0.1:(\d+)",
    )
    yield f"http://localhost:{listening[1]}"
    processes.end(process)


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """A page whose browser must not complain of anything but answers that say no."""
    context = browser.new_context(base_url=address, viewport={"width": 1280, "height": 900})
    opened, complaints = context.new_page(), list[str]()
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    yield opened
    context.close()
    assert [one for one in complaints if not re.search("status of (400|404|422|503)", one)] == []


def sign_in(page: Page, shop: Shop, number: int = 0) -> None:
    member = shop.member(number)
    page.goto("/sign-in")
    page.get_by_label("Card number").fill(member.card_number)
    page.get_by_label("Last name").fill(member.last_name.title())
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("rentals")


def test_a_visitor_browses_from_page_to_page_and_into_a_film(page: Page) -> None:
    page.goto("/")
    expect(page.get_by_role("heading", name="50 films")).to_be_visible()
    expect(page.get_by_role("listitem").filter(has=page.get_by_role("heading", level=3))).to_have_count(24)
    page.get_by_role("link", name="Next →").click()
    expect(page.get_by_text("Page 2 of 3")).to_be_visible()
    first = page.get_by_role("heading", level=3).first
    title = first.inner_text()
    first.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    expect(page.get_by_role("heading", name="Where to get it")).to_be_visible()


def test_every_poster_is_seen_and_says_of_which_film_it_is(page: Page) -> None:
    page.goto("/")
    for poster in page.locator("img.poster").all():
        poster.scroll_into_view_if_needed()
        page.wait_for_function("e => e.complete && e.naturalWidth > 0", arg=poster.element_handle())
        assert (poster.get_attribute("alt") or "").startswith("Poster of ")


def test_a_visitor_searches_by_keyboard_alone(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    search = page.get_by_label("Title, actor or story")
    expect(search).to_be_focused()
    assert search.evaluate("e => getComputedStyle(e).outlineStyle") == "solid"
    page.keyboard.type("forester")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=2)).to_contain_text("“forester”")
    expect(search).to_have_value("forester")


def test_a_visitor_looks_at_a_category_and_at_what_is_in_store(page: Page) -> None:
    page.goto("/")
    page.get_by_label("Category").select_option("Horror")
    page.get_by_label("In store now").check()
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("heading", level=2)).to_contain_text("in Horror, in store now")
    expect(page.get_by_role("checkbox", name="In store now")).to_be_checked()
    assert page.get_by_text("All copies out").count() == 0


def test_a_member_signs_in_rents_returns_and_signs_out(page: Page, shop: Shop) -> None:
    shop.return_all()
    copy = shop.free_copy()
    page.goto(f"/films/{copy.film_id}")
    page.get_by_role("link", name="Sign in to rent").click()
    member = shop.member()
    page.get_by_label("Card number").fill(" ".join(re.findall("....", member.card_number)))
    page.get_by_label("Last name").fill(member.last_name)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Where to get it")).to_be_visible()
    title = page.get_by_role("heading", level=1).inner_text()
    page.get_by_role("button", name="Rent for").first.click()
    expect(page.get_by_role("status")).to_contain_text(f"Enjoy {title}!")
    page.get_by_role("button", name=f"Return {title}").click()
    expect(page.get_by_role("status")).to_contain_text(f"Thank you for returning {title}")
    expect(page.get_by_text("You have no film at home")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    page.goto("/rentals")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in with your card")


def test_a_wrong_card_is_told_where_it_was_typed(page: Page) -> None:
    page.goto("/sign-in")
    page.get_by_label("Card number").fill("0000 0000 0000 0000")
    page.get_by_label("Last name").fill("Nobody")
    page.get_by_role("main").get_by_role("button").click()
    expect(page.get_by_role("alert")).to_contain_text("We know no card")
    expect(page.get_by_label("Card number")).to_have_attribute("aria-describedby", "problem")
    expect(page.get_by_label("Card number")).to_have_value("0000 0000 0000 0000")
    expect(page.get_by_label("Last name")).to_have_value("Nobody")


def test_a_button_has_an_edge_where_the_system_chooses_the_colours(page: Page) -> None:
    page.emulate_media(forced_colors="active")
    page.goto("/sign-in")
    button = page.get_by_role("main").get_by_role("button", name="Sign in")
    assert button.evaluate("button => getComputedStyle(button).borderTopWidth") == "1px"


def test_errors_are_pages_of_the_site_and_the_database_may_go_and_come(page: Page, shop: Shop) -> None:
    for at, told in (("/nothing", "Nothing on this shelf"), ("/?page=x", "That did not make sense")):
        page.goto(at)
        expect(page.get_by_role("heading", level=1)).to_have_text(told)
    page.get_by_role("link", name="To the films").click()
    expect(page.get_by_role("heading", name="50 films")).to_be_visible()
    shop.server.stop()
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("Short intermission")
    assert (
        page.evaluate("getComputedStyle(document.querySelector('.button')).borderRadius") == "999px"
    )  # with its style
    shop.server.restart({"require_secure_transport": "1"})
    page.reload()
    expect(page.get_by_role("heading", name="50 films")).to_be_visible()


@pytest.mark.parametrize("width", [320, 390, 768])
def test_no_page_is_wider_than_the_screen(page: Page, shop: Shop, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    sign_in(page, shop, 1)
    for at in (*PAGES, *MEMBER_PAGES):
        page.goto(at)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, at


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_the_contrast_that_reading_needs(page: Page, shop: Shop, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    sign_in(page, shop, 2)
    for at in (*PAGES, *MEMBER_PAGES):
        page.goto(at)
        texts = page.evaluate(CONTRAST)
        assert len(texts) > 10
        assert [text for text in texts if text["ratio"] < text["needed"]] == [], at


def test_every_page_has_one_heading_landmarks_and_a_name_for_whatever_can_be_used(page: Page, shop: Shop) -> None:
    sign_in(page, shop, 3)
    for at in (*PAGES, *MEMBER_PAGES):
        page.goto(at)
        assert page.get_by_role("heading", level=1).count() == 1, at
        for landmark in ("banner", "main", "contentinfo"):
            assert page.get_by_role(landmark).count() == 1, at  # type: ignore[arg-type]
        assert page.evaluate("document.documentElement.lang") == "en"
        assert page.evaluate(UNNAMED) == [], at
        levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3')].map(e => +e.tagName[1])")
        assert all(after - before <= 1 for before, after in pairwise(levels)), at
        assert page.evaluate(SMALL_TARGETS) == [], at


def test_a_body_that_does_not_tell_its_length_is_refused(address: str) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    chunks = (b"a" * 1000 for _ in range(40))
    answer = urllib3.request("POST", f"{address}/sign-in", body=chunks, headers=form, retries=False, timeout=30)
    assert answer.status == 411
    assert b"cannot read" in answer.data


def test_titles_of_pages_tell_them_apart(page: Page) -> None:
    titles = set[str]()
    for at in (*PAGES, "/?page=2", "/?category=1", "/films/2"):
        page.goto(at)
        titles.add(page.title())
    assert len(titles) == len(PAGES) + 3
    assert all(title.endswith("· Reel & Return") for title in titles)
