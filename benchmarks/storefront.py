"""The storefront under load, and through the loss of its database and of its bucket.

    python benchmarks/storefront.py load [--seconds 10]
    python benchmarks/storefront.py faults [--seconds 30]

Both deploy WebApp to a local cloud, load a company (Pagila where GROUNDWORK_DATA has it) and serve it as its instance
does: Apache, with the instance's site configuration, in front of gunicorn, with MariaDB behind.

`load`: wrk asks for pages, and for a plain static page of the same Apache; requests a second and latencies. Apache
keeps pages for a second, so some rows ask for pages that it does not keep: with a cookie, or with an address of its own
for each request. Then the catalogue grows to 10,000 and to 100,000 films. Load, site, database and cloud share the
machine's cores.

`faults`: members rent the same few films and return them all the time, while the database is restarted, and then while
the bucket is away: what visitors see, how soon the site is back, and whether each rental and each return that was
confirmed is stored. A member notes the number of every rental that was confirmed, so each is looked up by itself: one
that was stored although its member was told "unavailable" cannot make up for one that was lost.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pymysql
import requests
from measurement import circumstances, record

from contract.stacks import WebAppOutput
from groundwork import engines
from groundwork.site import STACK, Site, storefront
from localcloud import LocalCloud
from localcloud.engines import programs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PROJECT = Path(__file__).parents[1]
CONNECTIONS = 16
CATALOGUES = (10_000, 100_000)
#: For wrk: asks for no address twice.
EACH = """
local n = 0
request = function()
  n = n + 1
  return wrk.format(nil, wrk.path .. "&visitor=" .. n)
end
"""
MEMBERS = 6
WANTED = (20, 21)  # few films, so that members want the same copies at the same time
AWAY_SECONDS = 4
PATIENCE_SECONDS = 120
SIGN_IN_SECONDS = 13  # between two attempts: a card has five a minute
UNIT_MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0}
TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')
AT_HOME = re.compile(r'href="/films/(\d+)">(?:(?!href="/films/).)*?action="/rentals/(\d+)/return"', re.DOTALL)
OK, SEE_OTHER, UNAVAILABLE = 200, 303, 503


@contextlib.contextmanager
def filled(folder: Path) -> Iterator[LocalCloud]:
    """Start a local cloud with the stack, its tables and a company."""
    folder.chmod(0o755)  # Apache's children, who are nobody if root runs this
    with LocalCloud(folder / "cloud", project=PROJECT) as cloud:
        cloud.folder.chmod(0o755)
        cloud.deploy(STACK)
        for command in ("init", "load"):
            print(groundwork(cloud, command).strip())
        yield cloud


def groundwork(cloud: LocalCloud, *arguments: str) -> str:
    """Return the output of `groundwork storefront ARGUMENTS`."""
    options = ["--stack", STACK, "--database-ca", str(cloud.certificate_authority)]
    return subprocess.run(
        [sys.executable, "-m", "workloads", "storefront", *arguments, *options],
        env=cloud.inherited_environment(),
        capture_output=True,
        text=True,
        check=True,
    ).stdout


# Load


def load(seconds: int) -> dict[str, Any]:
    """Ask for pages of the site with wrk, and for a plain page of the same server."""
    with (
        tempfile.TemporaryDirectory() as temporary,
        filled(Path(temporary)) as cloud,
        storefront(cloud, Path(temporary) / "site") as site,
    ):
        page = requests.get(site.url, timeout=30).text
        poster = re.search(r'src="(/assets/posters/[^"]+)"', page)
        assert poster  # noqa: S101 - the first page has films
        addresses = {
            "plain static page": "/unavailable.html",
            "health check": "/healthz",
            "poster": poster[1],
            "catalogue, first page": "/",
            "catalogue, page 20": "/?page=20",
            "search": "/?q=water",
            "a category": "/?category=3",
            "a film": "/films/7",
        }
        wrk(site, "/", 2)  # warm
        rows = {name: wrk(site, path, seconds) for name, path in addresses.items()}
        rows["first page, with a cookie"] = wrk(site, "/", seconds, "-H", "Cookie: a=b")
        each = Path(temporary) / "each.lua"
        each.write_text(EACH, encoding="utf-8")
        rows["search, none like another"] = wrk(site, "/?q=water", seconds, "-s", str(each))
        for films in CATALOGUES:
            grow(connected(cloud, cloud.outputs(STACK)), films)
            rows[f"first page of {films:,} films"] = wrk(site, "/", seconds)
            rows[f"first page of {films:,} films, with a cookie"] = wrk(site, "/", seconds, "-H", "Cookie: a=b")
        return {"server": site.server} | rows


def grow(connection: pymysql.Connection[Any], films: int) -> None:
    """Repeat the films of the catalogue, with their copies, casts and categories, until there are so many."""
    with connection, connection.cursor() as cursor:

        def number(question: str) -> int:
            cursor.execute(question)
            [value] = cursor.fetchone() or [0]
            return int(value)

        while (have := number("SELECT max(film_id) FROM film")) < films:
            copies = number("SELECT max(copy_id) FROM copy")
            changed = {
                "film_id": f"film_id + {have}",
                "copy_id": f"copy_id + {copies}",
                "title": f"concat(title, ' {have}')",
            }
            for table in ("film", "film_category", "film_actor", "copy"):
                cursor.execute(f"SHOW COLUMNS FROM `{table}`")
                columns = [row[0] for row in cursor.fetchall()]
                values = ", ".join(changed.get(column, f"`{column}`") for column in columns)
                cursor.execute(
                    f"INSERT INTO `{table}` SELECT {values} FROM `{table}` WHERE film_id <= {films - have}"  # noqa: S608
                )
            connection.commit()


def wrk(site: Site, path: str, seconds: int, *options: str) -> dict[str, float]:
    """Return requests per second and latency, in milliseconds; the number of responses that report a failure."""
    output = subprocess.run(
        [engines.find("wrk"), "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", *options, f"{site.url}{path}"],
        env=programs.environment(),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    latency = {
        percent: float(number) * UNIT_MILLISECONDS[unit]
        for percent, number, unit in re.findall(r"^ +(\d+)% +([\d.]+)(us|ms|s) *$", output, re.MULTILINE)
    }
    rate, total = re.search(r"Requests/sec: +([\d.]+)", output), re.search(r"(\d+) requests in", output)
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    assert rate  # noqa: S101 - wrk's output
    assert total  # noqa: S101
    figures = {
        "requests_per_second": round(float(rate[1]), 1),
        "p50_ms": round(latency["50"], 2),
        "p99_ms": round(latency["99"], 2),
        "failed": int(failed[1]) if failed else 0,
    }
    print(f"{path} {' '.join(options)}: {figures}")
    return figures


# Faults


class Wire:
    """Forwards connections to a port, until it is cut."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.cut = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.pairs: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def lose(self) -> None:
        """Cut it: open connections end, and new ones are refused."""
        self.cut.set()
        for end in self.pairs:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self.pairs.clear()

    def repair(self) -> None:
        """Forward again."""
        self.cut.clear()

    def _accept(self) -> None:
        while True:
            near, _ = self.listener.accept()
            if self.cut.is_set():
                near.close()
                continue
            far = socket.create_connection(("127.0.0.1", self.target))
            self.pairs += [near, far]
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(source, target), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.close()


@dataclass
class Watch:
    """Requests a page repeatedly, and records each status and how long the response took."""

    url: str
    responses: list[tuple[float, int, float]] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Send requests until `stop` is set."""
        while not self.stop.wait(0.05):
            began = time.monotonic()
            try:
                status = requests.get(self.url, timeout=60).status_code
            except requests.RequestException:
                status = 0
            self.responses.append((began, status, time.monotonic() - began))

    def between(self, begin: float, end: float) -> Counter[int]:
        """Count the responses between two moments, by status."""
        return Counter(status for sent, status, took in self.responses if begin <= sent + took <= end)

    def slowest(self, begin: float, end: float) -> float:
        """Return the slowest response that visitors were waiting for between two moments, in seconds."""
        return max((took for sent, _, took in self.responses if sent <= end and sent + took >= begin), default=0.0)

    def first_good_after(self, moment: float) -> float:
        """Return the seconds from a moment to the first successful response to a later request."""
        return next(sent + took - moment for sent, status, took in self.responses if sent >= moment and status == OK)


@dataclass
class Customer:
    """A member who rents a film and returns it, again and again, and remembers what was confirmed.

    Attributes:
        site: The site's address.
        authority: File with the certificates that vouch for it.
        number: Makes the addresses from which the requests seem to come.
        card: The number on the card.
        last_name: The member's name.
        films: What to rent, in turns.
        rented: The rentals that were confirmed, by their numbers.
        unseen: How many rentals were confirmed that the member's page did not show.
        returned: The rentals whose return was confirmed.
        statuses: How often each status was an answer.
        ready: Set when the member is signed in and has nothing at home.
        stop: Set from outside, to end it.
        done: Set when it has ended as it should.
    """

    site: str
    authority: str | bool
    number: int
    card: str
    last_name: str
    films: list[int]
    rented: set[int] = field(default_factory=set)
    unseen: int = 0
    returned: set[int] = field(default_factory=set)
    statuses: Counter[int] = field(default_factory=Counter)
    ready: threading.Event = field(default_factory=threading.Event)
    stop: threading.Event = field(default_factory=threading.Event)
    done: threading.Event = field(default_factory=threading.Event)
    sent: int = 0

    def run(self) -> None:
        """Sign in and bring back what is out from before; then, ready, rent and return until told to stop."""
        with requests.Session() as session:
            session.trust_env = False  # or a setting of the machine's would come before the next line
            session.verify = self.authority
            while not self._send(session, "/sign-in", "/sign-in", card_number=self.card, last_name=self.last_name):
                if self.stop.wait(SIGN_IN_SECONDS):
                    return
            while at_home := self._at_home(session):
                for rental in at_home.values():
                    self._return(session, rental)
            self.returned.clear()
            self.statuses.clear()  # what counts begins here
            self.ready.set()
            turn = self.number  # so that not all begin with the same film
            while not self.stop.is_set():
                self._rent(session, self.films[turn % len(self.films)])
                turn += 1
                while not self.stop.is_set() and (at_home := self._at_home(session)):
                    for rental in at_home.values():
                        self._return(session, rental)
        self.done.set()

    def _rent(self, session: requests.Session, film: int) -> None:
        """Rent a film where a copy is in; if that is confirmed, note the rental's number, which the next page tells."""
        page = f"/films/{film}"
        store = self._get(session, page, r'name="store" value="(\d+)"')
        if store and self._send(session, f"{page}/rentals", page, store=store) == "/rentals":
            rental = self._at_home(session).get(film)
            if rental:
                self.rented.add(rental)
            else:
                self.unseen += 1

    def _return(self, session: requests.Session, rental: int) -> None:
        if self._send(session, f"/rentals/{rental}/return", "/rentals") == "/rentals":
            self.returned.add(rental)

    def _at_home(self, session: requests.Session) -> dict[int, int]:
        """Return the rental of each film that the member has, as soon as the site tells.

        Raises:
            TimeoutError: It does not.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            response = self._ask(session, "/rentals")
            if response.status_code == OK:
                return {int(film): int(rental) for film, rental in AT_HOME.findall(response.text)}
        raise TimeoutError(f"{self.last_name}: no page with the rentals for {PATIENCE_SECONDS} s")

    def _headers(self) -> dict[str, str]:
        """Return headers with a changing address, or the limit on writes would count all requests as one visitor's."""
        self.sent += 1
        address = f"10.{self.number}.{self.sent // 250 % 250}.{self.sent % 250}"
        return {"X-Forwarded-For": address, "X-Forwarded-Proto": "https", "Referer": f"{self.site}/"}

    def _ask(self, session: requests.Session, path: str) -> requests.Response:
        response = session.get(self.site + path, headers=self._headers(), timeout=60, allow_redirects=False)
        self.statuses[response.status_code] += 1
        if response.status_code == UNAVAILABLE:
            time.sleep(0.2)
        return response

    def _get(self, session: requests.Session, path: str, pattern: str) -> str:
        """Request a page, and return what the group of a pattern matches there, or an empty text."""
        response = self._ask(session, path)
        match = re.search(pattern, response.text) if response.status_code == OK else None
        return match[1] if match else ""

    def _send(self, session: requests.Session, path: str, page: str, **form: str) -> str:
        """Send a form with the token of its page; return where it redirects, or an empty text if it was refused."""
        token = self._get(session, page, TOKEN.pattern)
        if not token:
            return ""
        response = session.post(
            self.site + path,
            {"csrf_token": token, **form},
            headers=self._headers(),
            timeout=60,
            allow_redirects=False,
        )
        self.statuses[response.status_code] += 1
        return response.headers["Location"] if response.status_code == SEE_OTHER else ""


def faults(seconds: int) -> dict[str, Any]:
    """Rent and return while the database is restarted, and while the bucket is away."""
    with tempfile.TemporaryDirectory() as temporary, filled(Path(temporary)) as cloud:
        outputs = cloud.outputs(STACK)
        wire = Wire(int(cloud.endpoint.rsplit(":", 1)[1]))
        through = {"AWS_ENDPOINT_URL_S3": f"http://localhost:{wire.port}"}
        front = {"TRUSTED_PROXY": "127.0.0.0/8"}  # members come from many addresses
        with storefront(cloud, Path(temporary) / "site", environment=through, definitions=front) as site:
            posters = Watch(site.url + "/?page=2")
            watches = {"pages": Watch(site.url + "/"), "readiness": Watch(site.url + "/readyz"), "more": posters}
            customers = members(cloud, site)
            begun = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
            load_before = os.getloadavg()[0]
            threads = [threading.Thread(target=worker.run, daemon=True) for worker in (*watches.values(), *customers)]
            for thread in threads:
                thread.start()
            for customer in customers:
                if not customer.ready.wait(PATIENCE_SECONDS):
                    raise SystemExit(f"{customer.last_name} could not sign in: {dict(customer.statuses)}")
            time.sleep(seconds / 4)
            database = restart(cloud, outputs, watches["pages"])
            time.sleep(seconds / 4)
            bucket = cut(wire, watches)
            time.sleep(seconds / 4)
            for worker in (*watches.values(), *customers):
                worker.stop.set()
            for thread in threads:
                thread.join()
            if failed := [customer.last_name for customer in customers if not customer.done.is_set()]:
                raise SystemExit(f"not measured to the end: {', '.join(failed)}")
            return {
                "members": len(customers),
                "load_average_before": round(load_before, 1),
                "database restart": database,
                "bucket away": bucket,
                "answers to members": dict(sum((customer.statuses for customer in customers), Counter())),
                "rentals": count(cloud, outputs, customers, begun),
            }


def members(cloud: LocalCloud, site: Site) -> list[Customer]:
    """Return members who all want the same few films."""
    cards = json.loads(groundwork(cloud, "cards", "--limit", str(MEMBERS), "--json"))["cards"]
    authority = str(cloud.certificate_authority)
    return [
        Customer(site.secure_url, authority, number, card["card"], card["last_name"], list(WANTED))
        for number, card in enumerate(cards)
    ]


def restart(cloud: LocalCloud, outputs: Mapping[str, str], watch: Watch) -> dict[str, Any]:
    """Stop the database for some seconds, and start it."""
    rds = cloud.client("rds")
    pages = rds.get_paginator("describe_db_instances").paginate()
    instances = (instance for page in pages for instance in page["DBInstances"])
    name = next(
        instance["DBInstanceIdentifier"]
        for instance in instances
        if str(instance["Endpoint"]["Port"]) == outputs[WebAppOutput.DATABASE_PORT]
    )
    stopped = time.monotonic()
    rds.stop_db_instance(DBInstanceIdentifier=name)
    gone = time.monotonic()
    time.sleep(AWAY_SECONDS)
    away = time.monotonic()
    rds.start_db_instance(DBInstanceIdentifier=name)
    back = time.monotonic()
    time.sleep(5)
    return {
        "seconds_away": round(back - stopped, 1),
        "page_statuses_while_away": dict(watch.between(gone, away)),
        "slowest_page_seconds": round(watch.slowest(stopped, back), 2),
        "seconds_until_a_good_page": round(watch.first_good_after(back), 2),
        "page_statuses_after": dict(watch.between(back + 2, time.monotonic())),
    }


def cut(wire: Wire, watches: Mapping[str, Watch]) -> dict[str, Any]:
    """Take the bucket away for some seconds: pages still work, and the readiness check reports it."""
    wire.lose()
    gone = time.monotonic()
    time.sleep(AWAY_SECONDS)
    wire.repair()
    back = time.monotonic()
    time.sleep(5)
    return {
        "seconds_away": round(back - gone, 1),
        "page_statuses_while_away": dict(watches["pages"].between(gone, back)),
        "readiness_statuses_while_away": dict(watches["readiness"].between(gone + 0.5, back)),
        "seconds_until_ready": round(watches["readiness"].first_good_after(back), 2),
    }


def count(
    cloud: LocalCloud, outputs: Mapping[str, str], customers: Sequence[Customer], begun: datetime
) -> dict[str, int]:
    """Count what was confirmed to members, and what the database has of the time since."""
    with connected(cloud, outputs) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT rental_id, copy_id, rented_at, returned_at FROM rental WHERE rented_at >= %s ORDER BY rental_id",
            (begun,),
        )
        return compare(customers, [Stored(*row) for row in cursor.fetchall()])


def connected(cloud: LocalCloud, outputs: Mapping[str, str]) -> pymysql.Connection[Any]:
    """Connect to the stack's database."""
    value = cloud.client("secretsmanager").get_secret_value(SecretId=outputs[WebAppOutput.DATABASE_SECRET_ARN])
    secret = json.loads(value["SecretString"])
    return pymysql.connect(
        host=secret["host"],
        port=secret["port"],
        user=secret["username"],
        password=secret["password"],
        database=secret["dbname"],
        ssl={"ca": str(cloud.certificate_authority)},
    )


class Stored(NamedTuple):
    """A rental as the database has it."""

    rental: int
    copy: int
    rented: datetime
    returned: datetime | None


def compare(customers: Sequence[Customer], rentals: Sequence[Stored]) -> dict[str, int]:
    """Compare what was confirmed with what is stored, rental by rental.

    Args:
        customers: Who rented, and what was confirmed to them.
        rentals: What the database has, in the order in which copies went out.

    Returns:
        How many rentals and returns were confirmed, are stored, were confirmed but are not stored, and are stored
        although their members were told that the site is unavailable; and how often a copy went out a second time
        before it was back.
    """
    rented = set[int]().union(*(customer.rented for customer in customers))
    returned = set[int]().union(*(customer.returned for customer in customers))
    unseen = sum(customer.unseen for customer in customers)
    stored = {row.rental for row in rentals}
    back = {row.rental for row in rentals if row.returned}
    previous: dict[int, Stored] = {}
    twice = 0
    for row in rentals:
        before = previous.get(row.copy)
        twice += bool(before and (before.returned is None or before.returned > row.rented))
        previous[row.copy] = row
    return {
        "confirmed": len(rented) + unseen,
        "stored": len(stored),
        "confirmed_but_not_stored": len(rented - stored) + unseen,
        "stored_but_not_confirmed": len(stored - rented),
        "returns_confirmed": len(returned),
        "returns_stored": len(back),
        "returns_confirmed_but_not_stored": len(returned - back),
        "returns_stored_but_not_confirmed": len(back - returned),
        "copies_rented_twice": twice,
    }


def main() -> None:
    """Measure, and keep the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, seconds in (("load", 10), ("faults", 30)):
        commands.add_parser(name).add_argument("--seconds", type=int, default=seconds)
    options = parser.parse_args()
    measured = {"load": load, "faults": faults}[options.command](options.seconds)
    record("storefront", {options.command: {**circumstances(), "connections": CONNECTIONS, **measured}})


if __name__ == "__main__":
    main()
