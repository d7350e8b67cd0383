"""The console in a real browser: every view with data, no complaint of the browser, nothing that keeps people out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from localcloud import LocalCloud
from localcloud.console.charts import TEXT
from tests.e2e.accessibility import CONTRAST, axe_violations
from tests.e2e.console.inhabited import inhabit

#: What each view shows of the inhabited cloud, by its address.
VIEWS = {
    "": "Broken is not deployed as it should be",
    "stacks/Shop": "The table of articles.",
    "stacks/Broken": "Unrecognized match type nonsense",
    "dashboards": "Shop-Dashboard",
    "dashboards/{dashboard}": "99 of 100",
    "alarms": "Errors ≥ 5",
    "alarms/shop-errors": "Too many requests fail.",
    "alarms/shop-silent": "has no data",
    "mail": 'ALARM: "shop-errors"',
    "mail/{mail}": 'your Amazon CloudWatch Alarm "shop-errors"',
    "jobs": "shop-jobs",
    "jobs/{count}": "Cost on AWS so far",
    "jobs/{crash}": "exit code 3",
    "jobs/{huge}": "needs more vCPUs",
    "functions": "shop-checkout",
    "functions/shop-checkout": "cold",
    "logs": "/aws/lambda/shop-checkout",
    "logs/lines?group=/aws/lambda/shop-checkout&pattern=KeyError": "2 lines",
    "rules": "shop-terminations",
    "rules/shop-terminations": "aws.ec2",
    "s3": "shop-pictures",
    "s3/shop-pictures?prefix=2026/": "notes.txt",
    "s3/shop-pictures/object?key=2026/notes.txt": "taken in the <b>morning</b>",
    "s3/shop-pictures/object?key=2026/lamp.bin": "It is not text.",
    "tables": "shop-articles",
    "tables/shop-articles?key=lamp": "12.5",
    "queues": "dead letters",
    "queues/shop-dead-letters": "holds the dead letters of shop-orders",
    "secrets": "shop-password",
    "secrets/value/shop-password": "not-shown-in-the-list",
    "databases": "psql 'host=",
    "databases/postgres/shop-ledger": "Only questions that read are asked",
    "databases/neptune/shop-graph": "openCypher",
    "databases/opensearch/shop-search": "articles",
    "databases/dynamodb/shop-articles": "PartiQL",
    "databases/influxdb/shop-clicks": "--host-url http://localhost",
    "databases/timestream/shop-visits": "SHOW TABLES FROM",
    "denials": "s3:GetObject",
}

#: The colours that readers prefer, and the widths of their windows: on a desk, and on a phone.
READERS: tuple[tuple[Literal["light", "dark"], int], ...] = (("light", 1440), ("dark", 390))

ABORTED = "net::ERR_ABORTED"
"""What Chromium says of a request that it has ended itself."""

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def names(cloud: LocalCloud) -> dict[str, str]:
    """The names in addresses that are chosen by the cloud."""
    jobs = inhabit(cloud)
    [dashboard] = cloud.client("cloudwatch").list_dashboards()["DashboardEntries"]
    mail = next(path.stem for path in cloud.mailbox.glob("*.eml"))
    return jobs | {"dashboard": dashboard["DashboardName"], "mail": mail}


@pytest.fixture
def page(browser: Browser, cloud: LocalCloud) -> Iterator[Page]:
    """A page whose browser must neither complain nor ask any other server."""
    context = browser.new_context(base_url=cloud.console)
    opened, complaints = context.new_page(), list[str]()
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on(  # but for a picture that it wants in another size or colour before it has come
        "requestfailed", lambda request: None if request.failure == ABORTED else complaints.append(request.url)
    )
    opened.on(
        "request", lambda request: None if request.url.startswith(cloud.console) else complaints.append(request.url)
    )
    yield opened
    context.close()
    assert complaints == []


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_shows_what_is_there_and_everybody_can_read_it(page: Page, names: dict[str, str], view: str) -> None:
    response = page.goto(view.format(**names))
    assert response
    assert response.status == 200
    assert VIEWS[view] in page.get_by_role("main").inner_text()
    assert page.get_by_role("heading", level=1).count() == 1
    pictures = page.locator("img")
    for index in range(pictures.count()):
        assert pictures.nth(index).get_attribute("alt")
        assert pictures.nth(index).evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    for scheme, width in READERS:
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert [text for text in page.evaluate(CONTRAST) if text["ratio"] < text["needed"]] == [], scheme
        assert axe_violations(page) == [], scheme


@pytest.mark.parametrize("width", [360, 390, 768, 1150, 1440])
def test_the_text_of_a_chart_is_never_smaller_than_eleven_pixels(page: Page, names: dict[str, str], width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto("dashboards/{dashboard}".format(**names))
    charts = page.locator("figure img")
    assert charts.count() == 3
    for index in range(charts.count()):
        charts.nth(index).evaluate("image => image.decode()")
        drawn_for = "new URL(image.currentSrc).searchParams.get('width')"
        assert charts.nth(index).evaluate(f"image => {TEXT} * image.clientWidth / {drawn_for}") >= 11


def test_a_dashboard_is_laid_out_as_its_body_says(page: Page, names: dict[str, str]) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto("dashboards/{dashboard}".format(**names))
    box: Any = {
        name: page.get_by_role("region", name=name, exact=True).bounding_box()
        for name in ("Latency", "Errors", "Requests", "Alarms")
    }
    assert abs(box["Latency"]["width"] - box["Errors"]["width"]) < 2
    assert box["Latency"]["y"] == box["Errors"]["y"]
    assert box["Latency"]["x"] + box["Latency"]["width"] < box["Errors"]["x"]
    assert box["Requests"]["y"] > box["Latency"]["y"] + box["Latency"]["height"]
    assert box["Alarms"]["width"] < box["Latency"]["width"] / 1.9


def test_a_box_of_a_stacks_diagram_leads_to_its_resource(page: Page, names: dict[str, str]) -> None:
    page.goto("stacks/Shop")
    page.get_by_role("group", name="The main resources of Shop").get_by_role("link", name="Function").click()
    expect(page.get_by_role("heading", name="shop-checkout")).to_be_visible()


def test_a_choice_at_the_top_of_a_dashboard_changes_what_it_shows(page: Page, names: dict[str, str]) -> None:
    page.goto("dashboards/{dashboard}".format(**names))
    expect(page.get_by_role("region", name="Latency")).to_contain_text("Latest:")
    page.get_by_label("Site").select_option("stage")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("region", name="Latency")).to_contain_text("No data")


def test_an_expression_that_is_not_computed_is_named_instead_of_drawn(page: Page, names: dict[str, str]) -> None:
    page.goto("dashboards/{dashboard}".format(**names))
    share = page.get_by_role("region", name="Share")
    expect(share).to_contain_text("does not compute 100 * e")
    expect(share.locator("img")).to_have_count(0)


def test_a_page_follows_what_happens_without_being_loaded_again(
    page: Page, cloud: LocalCloud, names: dict[str, str]
) -> None:
    page.goto("queues")
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="shop-orders"))
    expect(row).to_contain_text("waiting")
    page.evaluate("window.loaded = 'once'")
    sqs = cloud.client("sqs")
    sqs.purge_queue(QueueUrl=sqs.get_queue_url(QueueName="shop-orders")["QueueUrl"])
    expect(row).to_contain_text("empty", timeout=30_000)
    assert page.evaluate("window.loaded") == "once"


def test_a_page_with_a_style_of_its_own_is_brought_up_to_date_without_a_complaint(
    page: Page, names: dict[str, str]
) -> None:
    page.goto("dashboards/{dashboard}".format(**names))
    for _ in range(2):  # the second answer comes after the first one was read
        with page.expect_response(lambda response: response.request.resource_type == "fetch"):
            pass
    expect(page.get_by_role("button", name="Pause updates")).to_be_visible()


def test_the_console_works_without_scripts(browser: Browser, cloud: LocalCloud, names: dict[str, str]) -> None:
    context = browser.new_context(base_url=cloud.console, java_script_enabled=False)
    page = context.new_page()
    page.goto("")
    page.get_by_role("navigation").get_by_role("link", name="Alarms").click()
    page.get_by_role("link", name="shop-errors", exact=True).click()
    expect(page.get_by_role("heading", name="shop-errors")).to_be_visible()
    expect(page.get_by_role("button", name="Pause updates")).to_be_hidden()
    context.close()


def test_a_secret_is_hidden_until_somebody_asks_for_it(page: Page, names: dict[str, str]) -> None:
    page.goto("secrets")
    assert "not-shown-in-the-list" not in page.content()
    page.get_by_role("link", name="Show the value of shop-password").click()
    expect(page.get_by_role("main")).to_contain_text("not-shown-in-the-list")


def test_a_test_event_is_compared_with_the_pattern_and_sent(
    page: Page, cloud: LocalCloud, names: dict[str, str]
) -> None:
    sqs = cloud.client("sqs")
    queue = sqs.get_queue_url(QueueName="shop-orders")["QueueUrl"]
    page.goto("rules/shop-terminations")
    event = page.get_by_label("The event, in JSON")
    assert json.loads(event.input_value())["detail"] == {"state": "terminated"}
    page.get_by_role("button", name="Compare with the pattern").click()
    expect(page.get_by_role("status")).to_contain_text("The pattern matches this event.")
    event.fill('{"source": "aws.ec2", "detail-type": "Example", "detail": {"state": "running"}}')
    page.get_by_role("button", name="Compare with the pattern").click()
    expect(page.get_by_role("status")).to_contain_text("does not match")
    event.fill("{")
    page.get_by_role("button", name="Send the event").click()
    expect(page.get_by_role("alert")).to_contain_text("This is not JSON")
    while waiting := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        for message in waiting:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    mark = '{"source": "aws.ec2", "detail-type": "Example", "detail": {"state": "terminated", "mark": "by hand"}}'
    event.fill(mark)
    page.get_by_role("button", name="Send the event").click()
    expect(page.get_by_role("status")).to_contain_text("The event was sent.")
    assert axe_violations(page) == []
    [message] = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=10)["Messages"]
    assert json.loads(message["Body"])["detail"]["mark"] == "by hand"


def test_a_form_without_its_token_changes_nothing(page: Page, names: dict[str, str]) -> None:
    answer = page.request.post("rules/shop-terminations", form={"event": "{}", "action": "send"})
    assert answer.status == 403
    answer = page.request.post("rules/shop-terminations", form={"event": "{}", "token": "0" * 64})
    assert answer.status == 403


def test_a_mail_is_a_file_that_mail_programs_open(page: Page, cloud: LocalCloud, names: dict[str, str]) -> None:
    page.goto("mail/{mail}".format(**names))
    with page.expect_download() as download:
        page.get_by_role("link", name="Download as .eml").click()
    assert Path(download.value.path()).read_bytes() == (cloud.mailbox / f"{names['mail']}.eml").read_bytes()


@pytest.mark.parametrize(
    ("database", "question", "shown"),
    [
        ("postgres/shop-ledger", "SELECT 41 + 1 AS answer, NULL AS nothing", "answer nothing 42 –"),
        ("neptune/shop-graph", "MATCH (c)-[:BOUGHT]->(a) RETURN c.name AS who, a.name AS what", "who what Ada lamp"),
        ("opensearch/shop-search", "name:lamp", "_index _score name articles"),
        ("opensearch/shop-search", '{"query": {"match": {"name": "lamp"}}}', "articles"),
        ("dynamodb/shop-articles", """SELECT price FROM "shop-articles" WHERE article = 'lamp'""", "price 12.5"),
        ("influxdb/shop-clicks", "SELECT sum(count) FROM clicks GROUP BY page", "clicks lamp 1970-01-01T00:00:00Z 7"),
        ("timestream/shop-visits", 'SELECT page, measure_value::bigint FROM "shop-visits".visits', "lamp 12"),
    ],
)
def test_a_question_is_answered_with_rows(
    page: Page, names: dict[str, str], database: str, question: str, shown: str
) -> None:
    page.goto(f"databases/{database}")
    page.get_by_label("Your question").fill(question)
    page.get_by_role("button", name="Ask").click()
    expect(page.get_by_role("status")).to_contain_text("row", timeout=60_000)
    assert shown in " ".join(page.get_by_role("table").inner_text().split())
    assert axe_violations(page) == []


@pytest.mark.parametrize(
    ("database", "question", "shown"),
    [
        ("postgres/shop-ledger", "DROP TABLE articles", "Only questions that read are asked."),
        ("postgres/shop-ledger", "SELECT * FROM nowhere", "does not exist"),
        ("neptune/shop-graph", "MATCH (n) DETACH DELETE n", "DELETE writes"),
        ("neptune/shop-graph", "MATCH (n RETURN n", "Syntax error"),
        ("opensearch/shop-search", '{"query": {"unknown": {}}}', "unknown"),
        ("opensearch/shop-search", "{not JSON", "This begins as JSON"),
        ("dynamodb/shop-articles", "SELECT * FROM nowhere", "DynamoDB says"),
        ("influxdb/shop-clicks", "DROP MEASUREMENT clicks", "Only questions that read are asked."),
        ("influxdb/shop-clicks", "SELECT * FROM", "failed to parse query"),
        ("timestream/shop-visits", "SELECT * FROM nowhere", "Timestream says"),
    ],
)
def test_a_question_that_writes_or_is_wrong_is_refused_in_words(
    page: Page, names: dict[str, str], database: str, question: str, shown: str
) -> None:
    page.goto(f"databases/{database}")
    page.get_by_label("Your question").fill(question)
    page.get_by_role("button", name="Ask").click()
    expect(page.get_by_role("alert")).to_be_visible(timeout=60_000)
    expect(page.get_by_role("region", name="No answer")).to_contain_text(shown)
    expect(page.get_by_label("Your question")).to_have_value(question)


def test_a_question_without_the_pages_token_is_not_asked(page: Page, names: dict[str, str]) -> None:
    refused = page.request.post("databases/postgres/shop-ledger", form={"question": "SELECT 1"})
    assert refused.status == 403


def test_the_keyboard_reaches_the_content_and_every_link(page: Page, names: dict[str, str]) -> None:
    page.goto("")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("main").get_by_role("link").first).to_be_focused()


def test_a_link_on_another_page_leads_into_the_console(
    browser: Browser, cloud: LocalCloud, names: dict[str, str], tmp_path: Path
) -> None:
    report = tmp_path / "report.html"
    report.write_text(f'<!doctype html><title>report</title><a href="{cloud.console}stacks/Shop">the stack</a>')
    page = browser.new_page()
    page.goto(report.as_uri())
    page.get_by_role("link", name="the stack").click()
    expect(page.get_by_role("heading", name="Shop", exact=True)).to_be_visible()
    page.close()


def test_another_page_can_neither_read_nor_frame_the_console(
    browser: Browser, cloud: LocalCloud, names: dict[str, str], tmp_path: Path
) -> None:
    page = browser.new_page()
    other = tmp_path / "other.html"
    other.write_text("<!doctype html><title>other</title>")
    page.goto(other.as_uri())
    address = json.dumps(f"{cloud.console}secrets/value/shop-password")
    assert page.evaluate(f"fetch({address}).then(r => r.text()).catch(error => `${{error}}`)").startswith("TypeError")
    page.evaluate(f"new Promise(done => {{ const frame = document.createElement('iframe'); frame.src = {address};"
                  "frame.onload = done; document.body.append(frame) })")  # fmt: skip
    assert "not-shown-in-the-list" not in "".join(frame.content() for frame in page.frames)
    page.close()
