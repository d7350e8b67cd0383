"""The storefront as its instance serves it: Apache, with the site configuration that the start script installs."""

from __future__ import annotations

import http.server
import shutil
import threading
import urllib.error
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from groundwork import site
from groundwork.site import SERVER_FILES, Site
from localcloud import LocalCloud
from localcloud.cloud import processes
from localcloud.engines.apache import Apache
from localcloud.errors import LocalCloudError

from .conftest import Echo, get

PATIENCE_SECONDS = 20

# With the application behind


def test_the_storefront_runs_from_the_stacks_outputs_under_apache_and_says_so(served: Site) -> None:
    assert served.server.startswith("Apache/2.")
    assert served.server.endswith("in front of gunicorn")
    ready = get(f"{served.url}/readyz")
    assert (ready.status, ready.text) == (200, '{"bucket":"ok","database":"ok","status":"ok"}\n')
    assert "<!doctype html>" in get(f"{served.url}/").text


def test_https_has_a_certificate_of_the_clouds_authority(cloud: LocalCloud, served: Site) -> None:
    assert get(f"{served.secure_url}/healthz", cloud.certificate_authority).status == 200
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        get(f"{served.secure_url}/healthz")


def test_on_this_machine_it_answers_to_no_host_name_that_another_site_may_have(served: Site) -> None:
    port = served.url.rpartition(":")[2]
    for host in ("evil.example", f"evil.example:{port}", "localhost.evil.example", "0.0.0.0"):  # noqa: S104 - a header
        assert get(f"{served.url}/", Host=host).status == 403
    for host in ("localhost", "shop.localhost", f"127.0.0.1:{port}"):
        assert get(f"{served.url}/", Host=host).status == 200


def test_a_body_that_is_too_large_is_refused(served: Site) -> None:
    assert get(f"{served.url}/sign-in", data=b"x" * 2_000_000).status == 413


def test_an_address_that_is_too_long_is_refused(served: Site) -> None:
    assert get(f"{served.url}/{'x' * 6000}").status == 414


def test_what_serves_it_is_not_told_in_detail(served: Site) -> None:
    assert get(f"{served.url}/unavailable.html").headers["Server"] == "Apache"
    assert "2.4" not in get(f"{served.url}/%zz").text


def test_without_apache_gunicorn_serves_alone_and_says_so(
    cloud: LocalCloud, served: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(program: str) -> str:
        raise LocalCloudError(f"{program} is missing")

    monkeypatch.setattr(site, "find", missing)
    with site.storefront(cloud, cloud.folder / "alone", workers=1) as running:
        assert running.server.startswith("gunicorn without Apache")
        assert get(f"{running.url}/healthz").status == 200


def test_without_the_stack_there_is_one_line(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site, "STACK", "Elsewhere")
    with (
        pytest.raises(LocalCloudError, match="Stack Elsewhere is not deployed"),
        site.storefront(cloud, cloud.folder / "nowhere"),
    ):
        pass


# With an application that tells how it was asked


def test_the_application_learns_the_visitors_address_and_scheme_from_apache_alone(
    cloud: LocalCloud, front: Callable[..., Apache]
) -> None:
    server = front()
    lies = {"X_Forwarded_For": "6.6.6.6", "X_Forwarded_Proto": "https"}
    plain = get(f"http://localhost:{server.port}/", **lies).text
    assert "X-Forwarded-Proto: http\n" in plain
    assert "X-Forwarded-For: 127.0.0.1\n" in plain
    secure = get(f"https://localhost:{server.secure_port}/", cloud.certificate_authority).text
    assert "X-Forwarded-Proto: https\n" in secure


def test_behind_a_load_balancer_its_word_counts(front: Callable[..., Apache]) -> None:
    server = front(TRUSTED_PROXY="127.0.0.0/8")
    told = get(f"http://localhost:{server.port}/", X_Forwarded_For="203.0.113.9", X_Forwarded_Proto="https").text
    assert "X-Forwarded-Proto: https\n" in told
    assert "X-Forwarded-For: 203.0.113.9\n" in told


def test_http_leads_to_https_but_for_the_health_check(front: Callable[..., Apache]) -> None:
    server = front(HTTPS_ONLY="", SITE_NAME="films.example")
    answer = get(f"http://localhost:{server.port}/films?page=2")
    assert (answer.status, answer.headers["Location"]) == (308, "https://films.example/films?page=2")
    assert get(f"http://localhost:{server.port}/healthz").status == 200


def test_while_the_application_is_away_there_is_a_page_that_says_so_and_then_it_is_back_at_once(
    front: Callable[..., Apache],
) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo) as late:
        address = f"127.0.0.1:{late.server_port}"
    server = front(APPLICATION=address)
    away = get(f"http://localhost:{server.port}/films")
    assert (away.status, away.headers["Retry-After"]) == (503, "10")
    assert "Short intermission" in away.text
    with http.server.ThreadingHTTPServer(("127.0.0.1", int(address.split(":")[1])), Echo) as back:
        threading.Thread(target=back.serve_forever, daemon=True).start()
        assert get(f"http://localhost:{server.port}/films").status == 200
        back.shutdown()


def test_the_page_is_there_where_the_project_lies_in_a_private_folder(
    front: Callable[..., Apache], tmp_path_factory: pytest.TempPathFactory
) -> None:
    private = tmp_path_factory.mktemp("private")  # as pytest makes it
    for name in ("site.conf", "unavailable.html"):
        shutil.copy(SERVER_FILES / name, private)
    server = front(private / "site.conf", APPLICATION=f"127.0.0.1:{processes.free_port()}")
    away = get(f"http://localhost:{server.port}/films")
    assert (away.status, away.headers["Retry-After"]) == (503, "10")
    assert "Short intermission" in away.text


def test_a_configuration_that_apache_refuses_is_said_with_its_log(front: Callable[..., Apache]) -> None:
    with pytest.raises(LocalCloudError, match=r"apache did not start: .*log: "):
        front(TRUSTED_PROXY="nonsense")


# What it keeps


@pytest.fixture
def counting() -> Iterator[Counting]:
    server = Counting()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


class Counting(http.server.ThreadingHTTPServer):
    """Counts what its application is asked.

    Attributes:
        status: What it answers with.
        lifetime: Seconds for which its pages may be shared.
        asked: How often.
        free: Unset while the request that comes next has to wait.
    """

    status, lifetime, asked = 200, 600, 0

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Shared)
        self.free = threading.Event()
        self.free.set()


class Shared(http.server.BaseHTTPRequestHandler):
    """Says who asked, as the storefront does: for everybody without a cookie, or for one visitor."""

    server: Counting

    def do_GET(self) -> None:
        self.server.asked += 1
        time = self.server.asked
        self.server.free.wait(PATIENCE_SECONDS)
        cookie, scheme = self.headers.get("Cookie"), self.headers["X-Forwarded-Proto"]
        shared = self.server.status == 200 and not cookie
        text = f"for {cookie or 'everybody'} by {scheme}, time {time}".encode()
        self.send_response(self.server.status)
        lifetime = f"public, max-age=0, s-maxage={self.server.lifetime}"
        self.send_header("Cache-Control", lifetime if shared else "no-store")
        self.send_header("Vary", "Cookie, X-Forwarded-Proto")
        self.send_header("X-Request-Id", str(time))
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_one_visitors_page_is_given_to_others_without_its_id(counting: Counting, front: Callable[..., Apache]) -> None:
    address = f"http://localhost:{front(APPLICATION=f'127.0.0.1:{counting.server_port}').port}/?page=2"
    first = get(address)
    assert (first.text, first.headers["X-Request-Id"]) == ("for everybody by http, time 1", "1")
    for headers in ({}, {"Cache_Control": "no-cache"}, {"Pragma": "no-cache"}, {"Cache_Control": "max-age=0"}):
        again = get(address, **headers)
        assert (again.text, again.headers["X-Request-Id"]) == (first.text, None)
    assert get(address.replace("page=2", "page=3")).text == "for everybody by http, time 2"
    assert counting.asked == 2


def test_whoever_has_a_cookie_gets_a_page_of_their_own(counting: Counting, front: Callable[..., Apache]) -> None:
    address = f"http://localhost:{front(APPLICATION=f'127.0.0.1:{counting.server_port}').port}/"
    texts = [get(address, Cookie=cookie).text if cookie else get(address).text for cookie in ("a=1", "", "a=1", "b=2")]
    assert texts == [f"for {who} by http, time {n}" for n, who in enumerate(("a=1", "everybody", "a=1", "b=2"), 1)]
    assert get(address).text == texts[1]


def test_pages_by_http_and_by_https_are_kept_apart(
    cloud: LocalCloud, counting: Counting, front: Callable[..., Apache]
) -> None:
    server = front(APPLICATION=f"127.0.0.1:{counting.server_port}", TRUSTED_PROXY="10.0.0.0/8")
    plain, secure = f"http://localhost:{server.port}/", f"https://localhost:{server.secure_port}/"
    for _ in range(2):
        assert get(plain).text == "for everybody by http, time 1"
        assert get(secure, cloud.certificate_authority).text == "for everybody by https, time 2"


def test_behind_a_load_balancer_they_are_kept_apart_too(counting: Counting, front: Callable[..., Apache]) -> None:
    server = front(APPLICATION=f"127.0.0.1:{counting.server_port}", TRUSTED_PROXY="127.0.0.0/8")
    for _ in range(2):
        for time, scheme in enumerate(("http", "https"), 1):
            answer = get(f"http://localhost:{server.port}/", X_Forwarded_Proto=scheme)
            assert answer.text == f"for everybody by {scheme}, time {time}"


def test_an_outage_is_shown_once_the_page_is_too_old(
    counting: Counting, front: Callable[..., Apache], eventually: Callable[[Callable[[], object]], object]
) -> None:
    counting.lifetime = 1
    address = f"http://localhost:{front(APPLICATION=f'127.0.0.1:{counting.server_port}').port}/"
    assert get(address).status == 200
    counting.status = 503
    assert eventually(lambda: get(address).status == 503)
    assert get(address).status == 503
    counting.status = 200
    assert get(address).status == 200


def test_while_one_visitor_waits_for_a_new_page_others_get_the_old_one(
    counting: Counting, front: Callable[..., Apache], eventually: Callable[[Callable[[], object]], object]
) -> None:
    counting.lifetime = 1
    address = f"http://localhost:{front(APPLICATION=f'127.0.0.1:{counting.server_port}').port}/"

    def others_get_the_old_page() -> bool:
        """One attempt: the application is asked once more, and does not answer before somebody else was served."""
        old, asked = get(address).text, counting.asked
        counting.free.clear()
        with ThreadPoolExecutor(1) as thread:
            one = thread.submit(lambda: eventually(lambda: get(address).text != old))
            eventually(lambda: counting.asked > asked)
            other = get(address).text if counting.asked == asked + 1 else ""
            counting.free.set()
            assert one.result()
        return other == old

    assert eventually(others_get_the_old_page)
