"""The benchmark that looks for lost rentals finds those that are lost, and no others."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from werkzeug.serving import make_server
from werkzeug.test import run_wsgi_app

from localcloud.cloud.certificates import issue

from .conftest import Shop

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]
Fault = Callable[[Wsgi], Wsgi]
Eventually = Callable[[Callable[[], Any]], Any]
FEW = 5


@pytest.fixture(scope="module")
def benchmark() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[3] / "benchmarks")
        yield importlib.import_module("storefront")


class Faulty:
    """A site that answers some requests with something else than what happened.

    Args:
        application: The site.
        method: The method of these requests.
        path: How their paths end.
        times: How many of them there are.
        after: How many are answered as they should be before.
        confirms: Whether it says that it is done and does nothing, or does it and says that it is unavailable.
    """

    def __init__(
        self, application: Wsgi, method: str, path: str, *, times: int, after: int = 0, confirms: bool = False
    ) -> None:
        self.application, self.method, self.path, self.confirms = application, method, path, confirms
        self.faulty = iter([False] * after + [True] * times)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        chosen = environ["REQUEST_METHOD"] == self.method and environ["PATH_INFO"].endswith(self.path)
        if not (chosen and next(self.faulty, False)):
            return self.application(environ, start_response)
        if self.confirms:
            start_response("303 SEE OTHER", [("Location", "/rentals")])
        else:
            run_wsgi_app(self.application, environ, buffered=True)
            start_response("503 SERVICE UNAVAILABLE", [])
        return []


@contextmanager
def serving(shop: Shop, folder: Path, fault: Fault) -> Iterator[tuple[str, str]]:
    """Serve a faulty site by HTTPS; its address, and the certificates that vouch for it."""
    certificate = issue(shop.cloud.folder, folder)
    app = shop.app()
    faulty = fault(app)
    keys = (str(certificate.certificate), str(certificate.key))
    server = make_server("localhost", 0, faulty, threaded=True, ssl_context=keys)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://localhost:{server.server_port}", str(shop.cloud.certificate_authority)
    server.shutdown()
    server.server_close()
    app.extensions["storefront"].engine.dispose()


def measured(shop: Shop, benchmark: Any, eventually: Eventually, folder: Path, fault: Fault) -> dict[str, int]:
    """What the benchmark counts while a member rents and returns at a faulty site."""
    shop.return_all()
    with shop.engine.connect() as connection:
        latest = connection.scalar(text("SELECT MAX(rental_id) FROM rental"))
    member, film = shop.member(), shop.free_copy().film_id
    with serving(shop, folder, fault) as (site, authority):
        customer = benchmark.Customer(site, authority, 1, member.card_number, member.last_name, [film, film + 1])
        thread = threading.Thread(target=customer.run)
        thread.start()
        assert eventually(lambda: len(customer.rented) >= FEW and len(customer.returned) >= FEW)
        customer.stop.set()
        thread.join()
    assert customer.done.is_set()
    columns = "SELECT rental_id, copy_id, rented_at, returned_at FROM rental WHERE rental_id > :latest ORDER BY 1"
    with shop.engine.connect() as connection:
        rows = connection.execute(text(columns), {"latest": latest}).all()
    result: dict[str, int] = benchmark.compare([customer], [benchmark.Stored(*row) for row in rows])
    return result


@pytest.fixture
def count(shop: Shop, benchmark: Any, eventually: Eventually, tmp_path: Path) -> Callable[..., dict[str, int]]:
    """What is counted at a site with a fault, which is described to `Faulty`."""

    def at(*request: str, **fault: Any) -> dict[str, int]:
        return measured(shop, benchmark, eventually, tmp_path, lambda site: Faulty(site, *request, **fault))

    return at


def test_a_site_that_tells_the_truth_loses_nothing(count: Callable[..., dict[str, int]]) -> None:
    counted = count("POST", "/rentals", times=0)
    assert counted["confirmed"] == counted["stored"] >= FEW
    assert {value for name, value in counted.items() if "not" in name or "twice" in name} == {0}


def test_a_rental_that_was_stored_and_not_confirmed_is_not_a_lost_one(count: Callable[..., dict[str, int]]) -> None:
    counted = count("POST", "/rentals", times=2)
    assert (counted["confirmed_but_not_stored"], counted["stored_but_not_confirmed"]) == (0, 2)
    assert counted["returns_confirmed_but_not_stored"] == 0


@pytest.mark.parametrize(("method", "path"), [("GET", "/rentals"), ("POST", "/return")])
def test_a_film_that_is_returned_in_another_ones_turn_is_not_lost(
    count: Callable[..., dict[str, int]], method: str, path: str
) -> None:
    counted = count(method, path, times=3, after=3)
    assert (counted["confirmed_but_not_stored"], counted["returns_confirmed_but_not_stored"]) == (0, 0)


def test_a_rental_that_was_confirmed_and_not_stored_is_lost(count: Callable[..., dict[str, int]]) -> None:
    counted = count("POST", "/rentals", times=3, confirms=True)
    assert counted["confirmed_but_not_stored"] == 3
    assert counted["stored"] == counted["confirmed"] - 3


def test_a_return_that_was_confirmed_and_not_stored_is_lost(benchmark: Any) -> None:
    customer = benchmark.Customer("", "", 1, "", "", [], rented={1, 2, 3}, returned={1, 2})
    now = datetime.now(UTC)
    rows = [benchmark.Stored(1, 7, now, now), benchmark.Stored(2, 8, now, None), benchmark.Stored(3, 9, now, now)]
    counted = benchmark.compare([customer], rows)
    assert counted["returns_confirmed_but_not_stored"] == counted["returns_stored_but_not_confirmed"] == 1
    assert counted["returns_confirmed"] == counted["returns_stored"], "the sums hide it"


def test_a_copy_that_went_out_before_it_was_back_is_counted(benchmark: Any) -> None:
    first, second, third = (datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3))
    rows = [
        benchmark.Stored(1, 7, first, third),
        benchmark.Stored(2, 7, second, None),
        benchmark.Stored(3, 7, third, None),
    ]
    assert benchmark.compare([], rows)["copies_rented_twice"] == 2
