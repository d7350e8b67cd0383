"""Who may open the console, and what a state is called there."""

from __future__ import annotations

import dataclasses
import http.client
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest

from contract import design
from contract.prices import PRICES
from localcloud.cloud.account import SECRET, console_key
from localcloud.cloud.context import Cloud
from localcloud.console import server
from localcloud.console.application import create_application, dollars
from localcloud.console.states import counted, sentence, state
from localcloud.console.views import alarms, jobs, mailbox, overview, stacks

NOW = datetime(2026, 11, 29, tzinfo=UTC)
STATUSES = {
    "good": ["CREATE_COMPLETE", "UPDATE_COMPLETE", "OK", "SUCCEEDED", "ENABLED", "available", "ACTIVE"],
    "bad": ["ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "CREATE_FAILED", "ROLLBACK_FAILED", "ALARM", "FAILED"],
    "busy": ["CREATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS", "RUNNABLE", "RUNNING", "PENDING", "creating"],
    "none": ["INSUFFICIENT_DATA", "DELETE_COMPLETE", "DISABLED", "a status that nobody knows"],
}


@pytest.mark.parametrize(("tone", "status"), [(tone, status) for tone, rows in STATUSES.items() for status in rows])
def test_a_status_has_a_tone_a_sign_and_a_word(tone: str, status: str) -> None:
    shown = state(status)
    assert shown.tone == tone
    assert shown.sign
    assert shown.word


def test_numbers_and_lists_are_said_as_people_say_them() -> None:
    assert [counted(number, "stack") for number in (0, 1, 2)] == ["no stacks", "1 stack", "2 stacks"]
    assert sentence([]) == ""
    assert sentence(["a"]) == "a"
    assert sentence(["a", "b", "c"]) == "a, b and c"


def stack(status: str) -> stacks.Stack:
    return stacks.Stack("Shop", "", status, "", None, 1, {})


def alarm(name: str) -> alarms.Alarm:
    return alarms.Alarm(name, "", "ALARM", "", None, "", {})


def job(status: str) -> jobs.Job:
    return jobs.Job("1", "count", "jobs", status, "", None, None, None, {})


@pytest.mark.parametrize(
    ("deployed", "ringing", "submitted", "tone", "text"),
    [
        ([], [], [], "none", "The cloud is up, and no stack is deployed."),
        ([stack("CREATE_COMPLETE")], [], [], "good", "1 stack is deployed, no alarm rings."),
        ([stack("CREATE_COMPLETE")], [], [job("RUNNING")], "good",
         "1 stack is deployed, no alarm rings, and 1 job runs or waits."),
        ([stack("UPDATE_IN_PROGRESS")], [], [], "busy", "Shop is being deployed."),
        ([stack("CREATE_COMPLETE")], [alarm("a")], [], "bad", "1 alarm rings (a)."),
        ([stack("ROLLBACK_COMPLETE")], [alarm("a"), alarm("b")], [job("FAILED")], "bad",
         "Shop is not deployed as it should be, 2 alarms ring (a and b) and 1 job failed."),
    ],
)  # fmt: skip
def test_the_verdict_is_one_sentence(deployed: Any, ringing: Any, submitted: Any, tone: str, text: str) -> None:
    verdict = overview.verdict(deployed, ringing, submitted)
    assert (verdict.tone, verdict.text) == (tone, text)


@pytest.mark.parametrize(
    ("subject", "alarm"),
    [
        ('ALARM: "shop-errors" in US East (N. Virginia)', "shop-errors"),
        ('OK: "the "big" one" in US East (N. Virginia)', 'the "big" one'),
        ("Terminated: i-1", ""),
    ],
)
def test_a_mail_knows_the_alarm_that_it_is_about(subject: str, alarm: str) -> None:
    assert mailbox.Mail("1-1", "a", "b", subject, NOW, "").alarm == alarm


@pytest.mark.parametrize(
    ("body", "shown"),
    [("plain words", "plain words"), ('{"a": 1}', '{\n  "a": 1\n}'), ("[1]\n\n--\nbye", "[\n  1\n]\n\n--\nbye")],
)
def test_other_mails_are_shown_as_they_are_with_json_indented(body: str, shown: str) -> None:
    assert mailbox.Mail("1-1", "a", "b", "c", NOW, body).shown_body == shown


@pytest.mark.parametrize(
    "body",
    ["no JSON", "[]", '{"widgets": [{"type": "metric", "properties": {"metrics": [["A"]]}}]}', '{"widgets": [1]}'],
)
def test_a_dashboard_that_cloudwatch_would_not_take_is_refused_in_words(body: str) -> None:
    cloudwatch = SimpleNamespace(get_dashboard=lambda **_: {"DashboardBody": body})
    cloud: Any = SimpleNamespace(client=lambda _: cloudwatch, folder=Path("a"), region="b", endpoint="c")
    response = create_application(cloud).test_client().get("/dashboards/mine")
    assert response.status_code == 422
    assert "not one that CloudWatch takes" in response.text


def luminance(colour: str) -> float:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(
    ("colours", "series"),
    [(design.LIGHT, design.SERIES_LIGHT), (design.DARK, design.SERIES_DARK)],
    ids=["light", "dark"],
)
def test_the_colours_of_the_design_can_be_read(colours: dict[str, str], series: tuple[str, ...]) -> None:
    for text in ("ink", "quiet", "accent", "good", "bad", "warn", "busy"):
        for ground in ("ground", "paper"):
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    for tone in ("good", "bad", "warn", "busy"):
        assert contrast(colours[tone], colours[f"{tone}-ground"]) >= 4.5, tone
    assert all(contrast(line, colours["paper"]) >= 3 for line in series)


@pytest.fixture
def port(tmp_path: Path) -> int:
    (tmp_path / SECRET).write_text("of this test")
    return server.start(Cloud(tmp_path, "http://localhost:1"))


@pytest.fixture
def key(tmp_path: Path, port: int) -> str:
    return console_key(tmp_path)


@pytest.fixture
def _of_somebody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "same_user", lambda *_: False)


def get(port: int, path: str = "/design.css", **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("localhost", port)
    connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    response.body = response.read()  # type: ignore[attr-defined]
    connection.close()
    return response


@pytest.mark.usefixtures("_of_somebody_else")
def test_the_console_is_closed_to_everybody_without_its_key(port: int) -> None:
    for path in ("/", "/design.css", "/?key=", "/?key=wrong"):
        assert get(port, path).status == 403
    assert get(port, Cookie=f"{server.COOKIE}=wrong").status == 403
    assert get(port, Cookie="a=\x07").status == 403


@pytest.mark.usefixtures("_of_somebody_else")
def test_the_link_with_the_key_opens_the_console_for_a_browser(port: int, key: str) -> None:
    opened = get(port, f"/alarms?key={key}")
    assert (opened.status, opened.headers["Location"]) == (303, "/alarms")
    cookie = opened.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert get(port, Cookie=cookie.partition(";")[0]).status == 200


@pytest.mark.parametrize("path", ["//evil.example", "/\\evil.example", "/%0d%0aSet-Cookie:%20a=b", "/a//evil.example"])
def test_the_link_leads_nowhere_else(port: int, key: str, path: str) -> None:
    location = get(port, f"{path}?key={key}").headers["Location"]
    assert urlsplit(urljoin("http://localhost:1/", location.replace("\\", "/"))).netloc == "localhost:1"


def test_a_page_of_another_origin_gets_nothing(port: int) -> None:
    assert get(port, Origin="http://evil.example").status == 403
    assert get(port, Host="evil.example").status == 403
    assert get(port, Sec_Fetch_Site="cross-site").status == 403
    assert get(port, Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors", Sec_Fetch_Dest="image").status == 403
    assert get(port, Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate", Sec_Fetch_Dest="iframe").status == 403


def test_a_link_on_another_page_leads_into_the_console(port: int) -> None:
    assert get(port, Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate", Sec_Fetch_Dest="document").status != 403


def test_a_page_may_load_nothing_from_elsewhere_and_be_framed_by_nobody(port: int) -> None:
    policy = get(port).headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert not re.search(r"unsafe|https?:|\*", policy)


def test_the_key_does_not_tell_the_secret_of_the_cloud(tmp_path: Path, key: str) -> None:
    secret = (tmp_path / SECRET).read_text()
    assert len(key) == 32
    assert secret not in key
    (tmp_path / SECRET).write_text("another")
    assert console_key(tmp_path) != key


def test_a_job_costs_what_its_attempts_took_on_the_dearest_instance_of_its_queue() -> None:
    attempts = [{"startedAt": 100_000, "stoppedAt": 1_900_000}, {"startedAt": 2_000_000, "stoppedAt": 3_800_000}, {}]
    ended = dataclasses.replace(job("SUCCEEDED"), details={"attempts": attempts, "nodeProperties": {"numNodes": 2}})
    environments = [{"type": "SPOT", "instanceTypes": ["c6i.xlarge", "g4dn.xlarge", "c6i.large"]}]
    cost = jobs.cost(ended, environments)
    assert cost
    assert (cost.instance_type, cost.instances, cost.seconds, cost.is_spot) == ("g4dn.xlarge", 2, 3600, True)
    assert cost.usd == pytest.approx(2 * PRICES["ec2.g4dn.xlarge"].usd)


def test_a_job_that_runs_costs_more_than_its_ended_attempts() -> None:
    running = dataclasses.replace(job("RUNNING"), started=datetime.now(UTC) - timedelta(hours=1))
    assert running.ran >= 3600


@pytest.mark.parametrize("kinds", [["c6i.large"], []])
def test_a_job_without_a_price_or_without_an_attempt_has_no_cost(kinds: list[str]) -> None:
    ended = dataclasses.replace(job("SUCCEEDED"), details={"attempts": [{"startedAt": 1000, "stoppedAt": 9000}]})
    assert jobs.cost(ended, [{"instanceTypes": kinds}]) is None
    assert jobs.cost(job("RUNNABLE"), [{"instanceTypes": ["c6i.xlarge"]}]) is None


@pytest.mark.parametrize(("usd", "said"), [(0, "under 0.0001 USD"), (0.0001, "0.0001 USD"), (1234.5, "1,234.5000 USD")])
def test_an_amount_is_never_said_to_be_nothing(usd: float, said: str) -> None:
    assert dollars(usd) == said
