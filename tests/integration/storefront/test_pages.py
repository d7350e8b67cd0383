"""What visitors and members see, and what those see who try other things."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from flask import Flask, request
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from itsdangerous import TimestampSigner
from markupsafe import escape
from sqlalchemy import func, select, text

from workloads.storefront.exchange import HEADERS
from workloads.storefront.pages.catalogue import SHARED
from workloads.storefront.schema import Actor, Category, Copy, Film, FilmActor, FilmCategory, Rental
from workloads.storefront.site import site

from .conftest import COMPANY, Shop, Visitor

LEAKS = re.compile(r"(?i:Traceback|sqlalchemy|pymysql|MariaDB|mysql|werkzeug|\.py\b|/site-packages/)|SELECT ")
NASTY = [
    "'",
    '"',
    "\\",
    "%",
    "_",
    "' OR '1'='1",
    "1; DROP TABLE film; --",
    "' UNION SELECT card_number, last_name, 1 FROM member -- ",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }}{% for x in y %}",
    "../../etc/passwd",
    "\x00",
    "\u202e\u0000\ud7ff",
    "😀" * 20,
    "a" * 100,
    "%00%ff",
]


class Structure(HTMLParser):
    """Elements and their attributes, so that text cannot be taken for markup."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))


def titles(content: str) -> list[str]:
    return re.findall(r"<h3><a[^>]*>([^<]+)</a></h3>", content)


def found(content: str) -> int:
    matched = re.search(r'<h2 id="found">\s*([\d,]+) film', content)
    assert matched
    return int(matched[1].replace(",", ""))


def test_pages_lead_through_all_films_in_order_of_title(visitor: Visitor) -> None:
    seen = list[str]()
    for number in range(1, 4):
        seen += titles(visitor.get(f"/?page={number}").text)
    assert len(seen) == len(set(seen)) == COMPANY.count("film")
    assert seen == sorted(seen)
    assert 'rel="next"' not in visitor.get("/?page=3").text


def test_a_search_finds_words_of_title_story_and_cast_whatever_their_case(visitor: Visitor, shop: Shop) -> None:
    with shop.sessions() as session:
        film = session.scalars(select(Film).order_by(Film.film_id)).first()
        actor = session.scalars(select(Actor).join(FilmActor, FilmActor.actor_id == Actor.actor_id)).first()
        assert film
        assert actor
        plays = session.scalar(select(func.count()).where(FilmActor.actor_id == actor.actor_id))
    assert titles(visitor.get(f"/?q={film.title.lower()}").text)[0].upper() == film.title
    assert found(visitor.get(f"/?q={film.description.split()[-1]}").text) >= 1
    assert found(visitor.get(f"/?q={actor.first_name.lower()}+{actor.last_name}").text) >= (plays or 0) > 0
    assert found(visitor.get("/?q=zzzzqq").text) == 0


@pytest.mark.parametrize("sign", ["%", "_", "%%", "/", "\\"])
def test_signs_that_mean_something_to_sql_are_looked_for_as_they_are(visitor: Visitor, sign: str) -> None:
    answer = visitor.client.get("/", query_string={"q": sign})
    assert found(answer.text) == 0


def test_a_category_shows_its_films_alone(visitor: Visitor, shop: Shop) -> None:
    with shop.sessions() as session:
        for category in session.scalars(select(Category)):
            count = session.scalar(select(func.count()).where(FilmCategory.category_id == category.category_id))
            assert found(visitor.get(f"/?category={category.category_id}").text) == count


def test_films_in_store_now_are_those_of_which_a_copy_is_in(visitor: Visitor, shop: Shop) -> None:
    with shop.sessions() as session:
        free = (
            select(Copy.film_id)
            .outerjoin(Rental, Rental.open_copy_id == Copy.copy_id)
            .where(Rental.rental_id.is_(None))
        )
        count = session.scalar(select(func.count(free.subquery().c.film_id.distinct())))
    assert found(visitor.get("/?available=yes").text) == count < COMPANY.count("film")


def test_a_films_page_tells_story_cast_price_and_copies(visitor: Visitor, shop: Shop) -> None:
    copy = shop.free_copy()
    with shop.sessions() as session:
        film = session.get_one(Film, copy.film_id)
        cast = len(film.cast)
        copies = session.scalar(
            select(func.count()).where(Copy.film_id == film.film_id, Copy.store_id == copy.store_id)
        )
    page = visitor.get(f"/films/{film.film_id}").text
    assert film.description in page
    assert f"${film.rental_rate}" in page
    assert f"{copies} of {copies} cop" in page
    assert len(re.findall(r'<li><a href="/\?q=', page)) == cast
    assert "Sign in to rent" in page


def test_every_picture_and_style_of_a_page_is_in_the_bucket_and_never_changes(visitor: Visitor) -> None:
    elements = Structure(visitor.get("/").text).elements
    files = {
        value for _, attributes in elements for name, value in attributes.items() if name in {"src", "href"} and value
    }
    wanted = [file for file in files if file.startswith("/assets/")]
    assert len(wanted) == 24 + 2
    for file in wanted:
        answer = visitor.get(file)
        assert answer.status_code == 200
        assert answer.mimetype == ("text/css" if file.endswith(".css") else "image/svg+xml")
        assert "immutable" in answer.headers["Cache-Control"]
        again = visitor.client.get(file, headers={"If-None-Match": answer.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b"")


def test_a_member_signs_in_rents_and_returns(visitor: Visitor, shop: Shop) -> None:
    shop.return_all()
    member, copy = shop.member(), shop.free_copy()
    page = f"/films/{copy.film_id}"
    assert visitor.get("/rentals").headers["Location"] == "/sign-in?next=/rentals"
    visitor.sign_in(member)
    assert f'name="store" value="{copy.store_id}"' in visitor.get(page).text
    answer = visitor.post(f"{page}/rentals", {"store": str(copy.store_id)}, page)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/rentals")
    mine = visitor.get("/rentals").text
    assert "Enjoy " in mine
    [path] = re.findall(r'action="(/rentals/\d+/return)"', mine)
    assert "You have this film" in visitor.get(page).text
    assert (
        "already"
        in visitor.client.get(
            visitor.post(f"{page}/rentals", {"store": str(copy.store_id)}, page).headers["Location"]
        ).text
    )
    assert visitor.post(path, {}, "/rentals").status_code == 303
    mine = visitor.get("/rentals").text
    assert "Thank you for returning" in mine
    assert "You have no film at home" in mine


def test_nobody_sees_or_returns_what_another_rented(new_visitor: Callable[[], Visitor], shop: Shop) -> None:
    shop.return_all()
    one, other, copy = new_visitor(), new_visitor(), shop.free_copy()
    one.sign_in(shop.member(0))
    other.sign_in(shop.member(1))
    page = f"/films/{copy.film_id}"
    one.post(f"{page}/rentals", {"store": str(copy.store_id)}, page)
    [path] = re.findall(r'action="(/rentals/\d+/return)"', one.get("/rentals").text)
    assert "/return" not in other.get("/rentals").text
    assert other.post(path, {}, "/rentals").status_code == 404
    assert path in one.get("/rentals").text


def test_the_name_on_the_card_may_be_written_in_any_case_and_the_number_in_groups(visitor: Visitor, shop: Shop) -> None:
    member = shop.member()
    grouped = " ".join(re.findall("....", member.card_number))
    answer = visitor.post(
        "/sign-in", {"card_number": grouped, "last_name": member.last_name.lower(), "next": "/films/1"}
    )
    assert (answer.status_code, answer.headers["Location"]) == (303, "/films/1")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-session=")
    assert all(part in cookie for part in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"))


def test_a_wrong_number_and_a_wrong_name_get_the_same_answer(app: Flask, shop: Shop) -> None:
    member = shop.member()

    def answer(number: str, name: str) -> tuple[int, str]:
        given = Visitor(app).post("/sign-in", {"card_number": number, "last_name": name})
        return given.status_code, re.sub(r'value="[^"]*"', "", given.text)

    wrong = answer("0" * 16, member.last_name)
    assert wrong == answer(member.card_number, "Nobody") == answer("", "") == answer("x", "'")
    assert wrong[0] == 422
    assert "We know no card" in wrong[1]


def test_whose_membership_ended_is_signed_out_and_not_let_in(visitor: Visitor, shop: Shop) -> None:
    member = shop.member(5)
    visitor.sign_in(member)
    change = text("UPDATE member SET active = :active WHERE member_id = :id")
    with shop.engine.begin() as connection:
        connection.execute(change, {"active": False, "id": member.member_id})
    assert visitor.get("/rentals").status_code == 303
    form = {"card_number": member.card_number, "last_name": member.last_name}
    assert "not active" in visitor.post("/sign-in", form).text
    with shop.engine.begin() as connection:
        connection.execute(change, {"active": True, "id": member.member_id})


@pytest.mark.parametrize(
    ("seconds_ahead", "status"),
    [(240, 200), (-240, 200), (3600, 303), (-13 * 3600, 303)],  # 303 leads to the sign-in
)
def test_a_member_stays_signed_in_on_an_instance_whose_clock_differs_by_minutes(
    visitor: Visitor, shop: Shop, monkeypatch: pytest.MonkeyPatch, seconds_ahead: int, status: int
) -> None:
    timestamp = TimestampSigner.get_timestamp
    with monkeypatch.context() as clock_of_first_instance:
        clock_of_first_instance.setattr(
            TimestampSigner, "get_timestamp", lambda signer: timestamp(signer) + seconds_ahead
        )
        visitor.sign_in(shop.member())
        token = visitor.token("/rentals")
    visitor.client.application = shop.app()  # the load balancer sends the next request to a second instance
    assert visitor.get("/rentals").status_code == status
    form = {"csrf_token": token}
    assert (visitor.client.post("/sign-out", data=form).status_code == 303) == (status == 200)


def test_signing_out_ends_the_session(visitor: Visitor, shop: Shop) -> None:
    visitor.sign_in(shop.member())
    assert visitor.post("/sign-out", {}, "/rentals").status_code == 303
    assert visitor.get("/rentals").status_code == 303


@pytest.mark.parametrize(
    "goal",
    ["https://example.org/", "//example.org", "/\\example.org", "javascript:alert(1)", "\t//example.org", "/a\nb"],
)
def test_signing_in_never_leads_to_another_site(visitor: Visitor, shop: Shop, goal: str) -> None:
    member = shop.member()
    form = {"card_number": member.card_number, "last_name": member.last_name, "next": goal}
    assert visitor.post("/sign-in", form).headers["Location"] == "/rentals"


def test_forms_without_the_sites_token_are_refused(visitor: Visitor, shop: Shop) -> None:
    visitor.sign_in(shop.member())
    copy = shop.free_copy()
    for address in (f"/films/{copy.film_id}/rentals", "/rentals/1/return", "/sign-out", "/sign-in"):
        for form in ({"store": "1"}, {"csrf_token": "x", "store": "1"}):
            answer = visitor.client.post(address, data=form)
            assert (answer.status_code, "form has expired" in answer.text) == (400, True)
    assert visitor.get("/rentals").status_code == 200


@pytest.mark.parametrize("address", ["/", "/films/1", "/sign-in", "/nothing", "/films/1?x=<b>", "/healthz", "/readyz"])
def test_every_answer_has_the_security_headers_and_no_script(visitor: Visitor, address: str) -> None:
    answer = visitor.get(address)
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert "unsafe-inline" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] in {"no-store", SHARED if answer.status_code == 200 else ""}
    assert "Strict-Transport-Security" not in answer.headers
    for tag, attributes in Structure(answer.text).elements if answer.mimetype == "text/html" else []:
        assert tag not in {"script", "style", "iframe"}
        assert not [name for name in attributes if name == "style" or name.startswith("on")]


@pytest.mark.parametrize("address", ["/", "/?q=a&page=1", "/?category=1", "/films/1"])
def test_a_page_of_the_catalogue_is_shared_among_visitors_without_cookies_and_no_others(
    visitor: Visitor, shop: Shop, address: str
) -> None:
    answer = visitor.get(address)
    assert answer.headers["Cache-Control"] == SHARED
    assert "Set-Cookie" not in answer.headers
    assert {"Cookie", "X-Forwarded-Proto"} <= {name.strip() for name in answer.headers["Vary"].split(",")}
    visitor.client.set_cookie("anything", "else")
    assert visitor.get(address).headers["Cache-Control"] == "no-store"
    visitor.sign_in(shop.member())
    assert visitor.get(address).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("address", ["/sign-in", "/rentals", "/films/999999", "/?page=0", "/healthz", "/readyz"])
def test_nothing_else_is_shared(visitor: Visitor, address: str) -> None:
    assert visitor.get(address).headers["Cache-Control"] == "no-store"


def test_a_page_is_not_sent_again_until_a_rental_changes_it(visitor: Visitor, shop: Shop, app: Flask) -> None:
    shop.return_all()
    copy = shop.free_copy()
    page, stranger = f"/films/{copy.film_id}", app.test_client()
    seen = {"If-None-Match": stranger.get(page).headers["ETag"]}
    same = stranger.get(page, headers=seen)
    assert (same.status_code, same.data, same.headers["Cache-Control"]) == (304, b"", SHARED)
    visitor.sign_in(shop.member())
    assert visitor.post(f"{page}/rentals", {"store": str(copy.store_id)}, page).headers["Location"] == "/rentals"
    assert stranger.get(page, headers=seen).status_code == 200
    shop.return_all()
    assert stranger.get(page, headers=seen).status_code == 304


def test_behind_tls_browsers_are_told_to_stay_there(visitor: Visitor) -> None:
    answer = visitor.client.get("/", headers={"X-Forwarded-Proto": "https"})
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"


def test_behind_tls_forms_work_whether_or_not_the_browser_tells_where_it_comes_from(app: Flask, shop: Shop) -> None:
    member = shop.member()
    for referrer in ({}, {"Referer": "https://shop.example/sign-in"}):
        client = app.test_client()
        tls = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "shop.example", **referrer}
        page = client.get("/sign-in", headers=tls, base_url="http://shop.example").text
        token = re.search(r'name="csrf_token" value="([^"]+)"', page)
        assert token
        form = {"csrf_token": token[1], "card_number": member.card_number, "last_name": member.last_name}
        answer = client.post("/sign-in", data=form, headers=tls, base_url="http://shop.example")
        assert (answer.status_code, answer.headers["Location"]) == (303, "/rentals")


def test_health_tells_what_works(visitor: Visitor) -> None:
    assert visitor.get("/healthz").json == {"status": "ok"}
    assert visitor.get("/readyz").json == {"status": "ok", "database": "ok", "bucket": "ok"}


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/nothing", 404),
        ("/films/0", 404),
        ("/films/999999", 404),
        ("/films/99999999999999999999999", 404),
        ("/films/-1", 404),
        ("/films/1.5", 404),
        ("/films/one", 404),
        ("/?page=0", 400),
        ("/?page=-1", 400),
        ("/?page=one", 400),
        ("/?page=1e3", 400),
        ("/?page=²", 400),
        ("/?page=99999999999999999999999999", 400),
        ("/?page=4", 404),
        ("/?page=2147483647", 404),
        ("/?category=0", 400),
        ("/?category=999", 404),
        ("/?category=x", 400),
        ("/?category=1'", 400),
        ("/?q=" + "a" * 101, 400),
        ("/assets/../settings.py", 404),
        ("/assets/posters/..%2F..%2Fsecret", 404),
        ("/assets/posters/1.svg", 404),
        ("/assets/", 404),
        ("/rentals/1/return", 405),
        ("/sign-out", 405),
        ("/films/1/rentals", 405),
    ],
)
def test_addresses_that_lead_nowhere_get_a_page_that_says_so(visitor: Visitor, address: str, status: int) -> None:
    answer = visitor.get(address)
    assert answer.status_code == status
    assert "<h1>" in answer.text
    assert not LEAKS.search(answer.text)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "POST"])
@pytest.mark.parametrize("address", ["/", "/films/1", "/healthz", "/readyz", "/assets/static/site.css"])
def test_wrong_methods_are_told_the_right_ones(visitor: Visitor, address: str, method: str) -> None:
    answer = visitor.client.open(address, method=method)
    assert answer.status_code == 405
    assert {"GET", "HEAD", "OPTIONS"} == set(answer.headers["Allow"].split(", "))
    assert not LEAKS.search(answer.text)


@pytest.mark.parametrize("address", ["/sign-in", "/films/1/rentals", "/", "/healthz"])
def test_bodies_larger_than_any_form_are_refused(visitor: Visitor, address: str) -> None:
    token = visitor.token()
    for form in ({"csrf_token": token, "last_name": "a" * 20_000}, {f"f{number}": "1" * 20 for number in range(2000)}):
        answer = visitor.client.post(address, data=form)
        assert answer.status_code == 413
        assert "Too much" in answer.text
    many = visitor.client.post(address, data={"file": (io.BytesIO(b"x" * 50_000), "x.bin")})
    assert many.status_code == 413


def test_guessing_cards_is_slowed_down_by_address_and_by_card(shop: Shop) -> None:
    app = shop.app()
    answers = list[int]()
    for number in range(7):
        visitor = Visitor(app)
        visitor.client.environ_base["REMOTE_ADDR"] = f"198.51.100.{number}"
        answers.append(visitor.post("/sign-in", {"card_number": "1" * 16, "last_name": str(number)}).status_code)
    assert answers == [422] * 5 + [429] * 2
    visitor = Visitor(app)
    answers = [visitor.post("/sign-in", {"card_number": f"{n:016}", "last_name": "x"}).status_code for n in range(22)]
    assert answers == [422] * 20 + [429] * 2
    answer = visitor.post("/sign-in", {"card_number": "2" * 16, "last_name": "x"})
    assert "One at a time" in answer.text
    assert answer.headers["Retry-After"] == "60"
    assert visitor.get("/").status_code == 200
    app.extensions["storefront"].engine.dispose()


def test_an_address_sends_so_many_forms_a_minute_and_reads_without_limit(shop: Shop) -> None:
    app = shop.app(writes_per_minute=3)
    visitor = Visitor(app)
    assert [visitor.post("/sign-out", {}).status_code for _ in range(5)] == [303] * 3 + [429] * 2
    assert {visitor.get("/healthz").status_code for _ in range(50)} == {200}
    app.extensions["storefront"].engine.dispose()


FIELDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=120) | st.sampled_from(NASTY)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=FIELDS, category=FIELDS, page=FIELDS, available=FIELDS)
def test_nothing_in_the_address_breaks_or_leaks(
    app: Flask, text: str, category: str, page: str, available: str
) -> None:
    client = app.test_client()
    queries = [{"q": text}, {"category": category}, {"page": page}, {"q": text, "available": available, "x": page}]
    for query in queries:
        answer = client.get("/", query_string=query)
        assert answer.status_code in {200, 400, 404}
        tags = {tag for tag, _ in Structure(answer.text).elements}
        assert not tags & {"script", "iframe", "object"}
        assert not LEAKS.search(answer.text.replace(str(escape(text.strip())), ""))
    assert client.get("/", query_string={"q": text}).status_code == (400 if len(text.strip()) > 100 else 200)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(number=FIELDS, name=FIELDS, goal=FIELDS, store=FIELDS, film=st.integers(), rental=st.integers())
def test_nothing_in_a_form_breaks_or_leaks_or_gets_in(
    app: Flask, number: str, name: str, goal: str, store: str, film: int, rental: int
) -> None:
    visitor = Visitor(app)
    answer = visitor.post("/sign-in", {"card_number": number, "last_name": name, "next": goal})
    assert answer.status_code == 422
    assert not {tag for tag, _ in Structure(answer.text).elements} & {"script", "iframe", "object"}
    for address, form in [
        (f"/films/{film}/rentals", {"store": store}),
        ("/films/1/rentals", {"store": store}),
        (f"/rentals/{rental}/return", {"extra": name}),
    ]:
        answer = visitor.post(address, form)
        assert answer.status_code in {303, 400, 404}
        assert answer.status_code != 303 or answer.headers["Location"].startswith("/sign-in")


def test_a_line_a_request_is_logged_without_what_people_typed(
    visitor: Visitor, shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    del visitor
    app = shop.app()
    Visitor(app).get("/?q=private+words")
    [line] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert line["message"] == "request"
    assert (line["method"], line["route"], line["status"]) == ("GET", "/", 200)
    assert "private" not in json.dumps(line)
    app.extensions["storefront"].engine.dispose()


def test_a_mistake_of_ours_is_logged_with_its_place_and_without_what_people_typed(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    app = shop.app()

    def broken() -> str:
        try:
            return str(int(request.args["q"]))
        except ValueError as error:
            raise RuntimeError(request.args["q"]) from error

    app.view_functions["catalogue.films"] = broken
    answer = Visitor(app).get("/?q=private+words")
    assert answer.status_code == 500
    assert "private" not in answer.text
    assert not LEAKS.search(answer.text)
    output = capsys.readouterr().out
    assert "private" not in output
    lines = [json.loads(line) for line in output.splitlines()]
    assert re.search(r"in broken\n.*ValueError\n.*in broken\n.*RuntimeError$", lines[0]["exception"], re.DOTALL)
    assert lines[0]["request_id"] in answer.text
    app.extensions["storefront"].engine.dispose()


def test_an_error_of_the_database_is_logged_without_the_values_it_quotes(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    app = shop.app()

    def broken() -> str:
        with site().sessions() as session:
            return str(session.execute(text("SELECT * FROM film WHERE title = :q COLLATE x"), {"q": request.args["q"]}))

    def refused() -> str:
        with site().sessions() as session:
            session.execute(text("SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'private words', MYSQL_ERRNO = 1690"))
        return ""

    for view in (broken, refused):
        app.view_functions["catalogue.films"] = view
        assert Visitor(app).get("/?q=private+words").status_code in {500, 503}
    output = capsys.readouterr().out
    assert "private" not in output
    assert "1690" in output
    app.extensions["storefront"].engine.dispose()
