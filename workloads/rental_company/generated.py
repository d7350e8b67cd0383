"""A film rental company made up, of any size: the same seed gives the same company, and memory does not grow with it.

Every row is drawn from random numbers of its own, so a table needs no other to be read first.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from contract.errors import InputError
from workloads.rental_company import words
from workloads.rental_company.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workloads.rental_company.tables import Row

CATEGORIES = (
    *("Action", "Animation", "Children", "Classics", "Comedy", "Documentary", "Drama", "Family"),
    *("Foreign", "Games", "Horror", "Music", "New", "Sci-Fi", "Sports", "Travel"),
)
LANGUAGES = ("English", "Italian", "Japanese", "Mandarin", "French", "German")
RATINGS = ("G", "PG", "PG-13", "R", "NC-17")
FEATURES = ("Trailers", "Commentaries", "Deleted Scenes", "Behind the Scenes")

# Counts at scale 1: Pagila's.
FILMS, ACTORS, CUSTOMERS, STORES, CITIES = 1000, 200, 599, 2, 600

END = datetime(2026, 1, 1, tzinfo=UTC)
"""The moment at which the company is looked at."""
_DAY = timedelta(days=1)
_FORTNIGHT = 14 * _DAY
_FORTNIGHTS = 13  # half a year of rentals
_FOUNDED = END - _FORTNIGHT * _FORTNIGHTS
_TASTE = 0.6  # how often a rental is of its customer's favourite category
_LATE_FEE = Decimal("1.00")  # a day


class _Film(NamedTuple):
    category: int  # from 0
    days: int
    rate: Decimal
    popularity: float  # probability that a copy is rented in a fortnight
    copies: int


class GeneratedCompany:
    """A company of the shape of Pagila.

    Films are rented as often as they are popular, most customers have a favourite category, no copy is rented twice at
    a time, and some of the last are not back yet.

    Args:
        scale: Films, actors, customers, stores, copies, rentals and payments are Pagila's counts times this.
        seed: Another gives another company.

    Raises:
        InputError: The scale is not between 0.01 and 1,000.
    """

    def __init__(self, scale: float = 1.0, seed: int = 0) -> None:
        if not 0.01 <= scale <= 1000:  # noqa: PLR2004 - as the message says
            raise InputError(f"Scale {scale:g}: Choose a scale between 0.01 and 1000.")
        self.origin = f"generated company (scale {scale:g}, seed {seed})"
        self._seed = seed
        self._films, self._actors = round(FILMS * scale), max(round(ACTORS * scale), 12)
        self._customers, self._stores = max(round(CUSTOMERS * scale), len(CATEGORIES)), max(round(STORES * scale), 2)
        self._film = lru_cache(maxsize=1024)(self._draw_film)

    def rows(self, table: str) -> Iterator[Row]:
        """Yield the rows of one of `TABLES`, in order of the key; rentals and payments by the fortnight."""
        rows_of_table: dict[str, Iterator[Row]] = {
            "language": self._named("language", "name", LANGUAGES),
            "category": self._named("category", "name", CATEGORIES),
            "country": self._named("country", "country", words.COUNTRIES),
            "actor": self._actor_rows(),
            "film": self._film_rows(),
            "film_actor": self._film_actor_rows(),
            "film_category": self._film_category_rows(),
            "city": self._city_rows(),
            "address": self._address_rows(),
            "store": self._store_rows(),
            "staff": self._staff_rows(),
            "customer": self._customer_rows(),
            "inventory": self._inventory_rows(),
            "rental": self._rental_rows(),
            "payment": self._payment_rows(),
        }
        yield from rows_of_table[table]

    def count(self, table: str) -> int:
        """Return how many rows a table has; rentals and payments are generated to count them."""
        if table not in TABLES:
            raise KeyError(table)
        counts = {
            "film": self._films,
            "film_category": self._films,
            "actor": self._actors,
            "customer": self._customers,
            "store": self._stores,
            "staff": self._stores,
            "address": 2 * self._stores + self._customers,
        }
        return counts[table] if table in counts else sum(1 for _ in self.rows(table))

    def _random(self, *about: object) -> Random:
        """Random numbers of one row's own."""
        return Random(f"{self._seed}/{'/'.join(map(str, about))}")  # noqa: S311 - nothing secret

    def _draw_film(self, film: int) -> _Film:
        random = self._random("film", film)
        return _Film(
            category=random.randrange(len(CATEGORIES)),
            days=random.randint(3, 7),
            rate=random.choice([Decimal("0.99"), Decimal("2.99"), Decimal("4.99")]),
            popularity=min(random.gammavariate(4, 0.07), 0.9),
            copies=random.choices(range(9), [4, 2, 9, 15, 20, 18, 14, 11, 7])[0],
        )

    @staticmethod
    def _named(table: str, column: str, names: tuple[str, ...]) -> Iterator[Row]:
        for number, name in enumerate(names, 1):
            yield {f"{table}_id": number, column: name, "last_update": _FOUNDED}

    def _actor_rows(self) -> Iterator[Row]:
        for number in range(1, self._actors + 1):
            first, last, _ = self._person(number, 5077)
            yield {"actor_id": number, "first_name": first, "last_name": last, "last_update": _FOUNDED}

    def _person(self, number: int, step: int) -> tuple[str, str, int]:
        """Return first name, last name, and how many earlier persons have both; `step` spreads the names."""
        names = len(words.FIRST_NAMES) * len(words.LAST_NAMES)
        place = (number * step + self._seed) % names
        first, last = divmod(place, len(words.LAST_NAMES))
        return words.FIRST_NAMES[first], words.LAST_NAMES[last], number // names

    def _film_rows(self) -> Iterator[Row]:
        titles = len(words.ADJECTIVES) * len(words.NOUNS)
        for number in range(1, self._films + 1):
            film, random = self._film(number), self._random("story", number)
            adjective, noun = divmod((number * 7919 + self._seed) % titles, len(words.NOUNS))
            title = f"{words.ADJECTIVES[adjective]} {words.NOUNS[noun]}"
            yield {
                "film_id": number,
                "title": f"{title} {number // titles + 1}" if number >= titles else title,
                "description": self._story(random),
                "release_year": random.randint(1962, 2025),
                "language_id": random.choices(range(1, 7), [10, 1, 1, 1, 1, 1])[0],
                "original_language_id": None,
                "rental_duration": film.days,
                "rental_rate": film.rate,
                "length": random.randint(46, 185),
                "replacement_cost": Decimal(random.randint(9, 29)) + Decimal("0.99"),
                "rating": random.choice(RATINGS),
                "last_update": _FOUNDED,
                "special_features": [feature for feature in FEATURES if random.random() < 0.5],  # noqa: PLR2004
            }

    @staticmethod
    def _story(random: Random) -> str:
        hero, companion, opponent = (_a(role).lower() for role in random.sample(words.ROLES, 3))
        kind = f"{_a(random.choice(words.TEMPERS))} {random.choice(words.KINDS_OF_STORY)}"
        deed, place = random.choice(words.DEEDS).lower(), random.choice(words.PLACES)
        return f"{kind} of {hero} and {companion} who must {deed} {opponent} in {place}"

    def _film_actor_rows(self) -> Iterator[Row]:
        for number in range(1, self._films + 1):
            random = self._random("cast", number)
            cast = random.sample(range(1, self._actors + 1), random.randint(1, 10))
            for actor in sorted(cast):
                yield {"actor_id": actor, "film_id": number, "last_update": _FOUNDED}

    def _film_category_rows(self) -> Iterator[Row]:
        for number in range(1, self._films + 1):
            yield {"film_id": number, "category_id": self._film(number).category + 1, "last_update": _FOUNDED}

    def _city_rows(self) -> Iterator[Row]:
        for number in range(1, CITIES + 1):
            syllable, ending = divmod(number, len(words.ENDINGS))
            second, first = divmod(syllable, len(words.SYLLABLES))
            name = words.SYLLABLES[first] + (words.SYLLABLES[second] if second else "") + words.ENDINGS[ending]
            country = self._random("city", number).randint(1, len(words.COUNTRIES))
            yield {"city_id": number, "city": name.title(), "country_id": country, "last_update": _FOUNDED}

    def _address_rows(self) -> Iterator[Row]:
        for number in range(1, self.count("address") + 1):
            random = self._random("address", number)
            street = f"{random.choice(words.STREETS)} {random.choice(words.WAYS)}"
            yield {
                "address_id": number,
                "address": f"{random.randint(1, 999)} {street}",
                "address2": None,
                "district": random.choice(words.SYLLABLES).title() + "shire",
                "city_id": random.randint(1, CITIES),
                "postal_code": f"{random.randint(1000, 99999):05}",
                "phone": f"{random.randint(10**9, 10**12 - 1)}",
                "last_update": _FOUNDED,
            }

    def _store_rows(self) -> Iterator[Row]:
        for number in range(1, self._stores + 1):
            yield {"store_id": number, "manager_staff_id": number, "address_id": number, "last_update": _FOUNDED}

    def _staff_rows(self) -> Iterator[Row]:
        for number in range(1, self._stores + 1):
            first, last, _ = self._person(number, 3571)
            yield {
                "staff_id": number,
                "first_name": first.title(),
                "last_name": last.title(),
                "address_id": self._stores + number,
                "email": f"{first}.{last}@staff.example.org".title(),
                "store_id": number,
                "active": True,
                "username": f"{first.title()}{number}",
                "last_update": _FOUNDED,
            }

    def _customer_rows(self) -> Iterator[Row]:
        for number in range(1, self._customers + 1):
            random = self._random("customer", number)
            first, last, namesakes = self._person(number, 2741)
            same = f".{namesakes + 1}" if namesakes else ""
            yield {
                "customer_id": number,
                "store_id": random.randint(1, self._stores),
                "first_name": first,
                "last_name": last,
                "email": f"{first}.{last}{same}@customer.example.org",
                "address_id": 2 * self._stores + number,
                "activebool": True,
                "create_date": (_FOUNDED - timedelta(days=random.randint(1, 900))).date(),
                "last_update": _FOUNDED,
                "active": int(random.random() < 0.975),  # noqa: PLR2004
            }

    def _inventory_rows(self) -> Iterator[Row]:
        for copy, film in self._copies():
            yield {"inventory_id": copy, "film_id": film, "store_id": self._store_of(copy), "last_update": _FOUNDED}

    def _copies(self) -> Iterator[tuple[int, int]]:
        """Every copy with its film."""
        copy = 0
        for film in range(1, self._films + 1):
            for _ in range(self._film(film).copies):
                copy += 1
                yield copy, film

    def _store_of(self, copy: int) -> int:
        return copy * 2_654_435_761 % 2**32 * self._stores // 2**32 + 1  # Knuth's multiplicative hash

    def _rental_rows(self) -> Iterator[Row]:
        for rental, _ in self._rentals():
            yield rental

    def _rentals(self) -> Iterator[tuple[Row, _Film]]:
        """Every rental with its film, by the fortnight."""
        number = 0
        for fortnight in range(_FORTNIGHTS):
            random = self._random("rentals", fortnight)
            for copy, film_number in self._copies():
                film = self._film(film_number)
                if random.random() >= film.popularity:
                    continue
                # A copy's fortnights begin on a day of its own, and it is back within each. Open from 9 to 21.
                out = _FOUNDED + fortnight * _FORTNIGHT + (copy % 14 + random.randrange(3)) * _DAY
                out += timedelta(seconds=random.randint(9 * 3600, 21 * 3600))
                late = random.choice([-2, -1, -1, 0, 0, 1, 2, 3])
                back = out + timedelta(days=film.days + late, minutes=random.randrange(300))
                if out >= END:
                    continue
                number += 1
                open_still = back >= END
                rental = {
                    "rental_id": number,
                    "rental_date": out,
                    "inventory_id": copy,
                    "customer_id": self._customer_who_likes(film.category, random),
                    "return_date": None if open_still else back,
                    "staff_id": self._store_of(copy),
                    "last_update": out if open_still else back,
                }
                yield rental, film

    def _customer_who_likes(self, category: int, random: Random) -> int:
        """Return a customer, most often one whose favourite category (customer's number modulo their count) this is."""
        customer = random.randint(1, self._customers)
        if random.random() < _TASTE:
            customer -= (customer - category) % len(CATEGORIES)
            customer += len(CATEGORIES) if customer < 1 else 0
        return customer

    def _payment_rows(self) -> Iterator[Row]:
        """One payment a rental: its rate when it goes out, or rate and late fee when it comes back."""
        for rental, film in self._rentals():
            out, back = rental["rental_date"], rental["return_date"]
            days_late = max((back - out).days - film.days, 0) if back else 0
            yield {
                "payment_id": rental["rental_id"],
                "customer_id": rental["customer_id"],
                "staff_id": rental["staff_id"],
                "rental_id": rental["rental_id"],
                "amount": film.rate + days_late * _LATE_FEE,
                "payment_date": back if days_late else out,
            }


def _a(noun: str) -> str:
    return f"{'An' if noun[0] in 'AEIOU' else 'A'} {noun}"
