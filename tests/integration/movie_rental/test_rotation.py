"""The password of PostgreSQL changes: what is connected carries on, and commands work with the secret's password."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from localcloud.engines import postgresql
from tests.rotation import Rotation
from workloads.movie_rental.engines import Engines

from .conftest import ACCESS, PARAMETERS, Run, Servers
from .test_ambiguous_commits import STATE
from .test_contract import TOKYO, _stocked, customer
from .test_failover import moved

STEPS = ["nothing", "createSecret", "setSecret", "testSecret", "finishSecret"]


@dataclass
class Rotated:
    """Engines of a stack whose ledger has a connection open, and what begins a rotation of its password."""

    engines: Engines
    rotation: Callable[[], Rotation]

    @property
    def state(self) -> tuple[Any, ...]:
        """What renting and returning have written, by the connection that is open."""
        [row] = self.engines.ledger.connection.execute(STATE)  # type: ignore[attr-defined]
        return tuple(row)


@pytest.fixture
def stack() -> str:
    return "Rotating"


@pytest.fixture
def rotated(servers: Servers, stack: str, tmp_path: Path) -> Iterator[Rotated]:
    server = postgresql.start(tmp_path / "postgresql", **ACCESS, database="first", parameters=PARAMETERS)
    on_it = replace(servers, postgresql_url=moved(servers.postgresql_url, server.port))
    engines = replace(servers.new(), ledger=_stocked(on_it))
    engines.library.save([TOKYO])
    servers.deploy(stack, engines)
    secrets = servers.cloud.client("secretsmanager")

    def log_in(access: dict[str, Any]) -> None:
        names = {"username": "user", "password": "password", "host": "host", "port": "port", "dbname": "dbname"}
        of_access = {name: access[key] for key, name in names.items()}
        psycopg.connect(**of_access, sslmode="verify-full", sslrootcert=str(server.authority)).close()

    yield Rotated(engines, partial(Rotation, secrets, f"{stack}-database", server.change_password, log_in))
    engines.ledger.close()
    server.stop()
    servers.cloud.client("cloudformation").delete_stack(StackName=stack)
    for name in ("database", "trends"):
        secrets.delete_secret(SecretId=f"{stack}-{name}", ForceDeleteWithoutRecovery=True)


def test_a_connection_carries_on_and_commands_work_wherever_a_rotation_is_interrupted(
    rotated: Rotated, run: Run
) -> None:
    ledger = rotated.engines.ledger
    who = ledger.add_customer(customer()).id

    def rent(request: str) -> int:
        """Rent by a command, which has a connection of its own."""
        code, out, errors = run("rent", who, TOKYO.id, "--request", request)
        assert code == 0, (request, errors)
        return int(out.split()[1].rstrip(":"))

    for taken, step in enumerate(STEPS):
        rotation = rotated.rotation()
        rotation.take(taken)
        ledger.give_back(int(ledger.rent(who, TOKYO, 1).rental_id or 0))
        rental = rent(f"interrupted after {step}")
        rotation.take()  # Secrets Manager begins again with the first step
        assert rent(f"interrupted after {step}") == rental
        for other in (rental, rent(f"done after {step}")):
            ledger.give_back(other)
    rentals, out, *_ = rotated.state
    assert (rentals, out) == (3 * len(STEPS), 0)


def test_a_transaction_that_is_open_during_a_rotation_is_committed(rotated: Rotated) -> None:
    ledger: Any = rotated.engines.ledger
    who = ledger.add_customer(customer()).id
    with ledger.connection.transaction():
        ledger.rent(who, TOKYO, 1)
        rotated.rotation().take()
    ledger.rent(who, TOKYO, 1)
    assert rotated.state[0] == 2
