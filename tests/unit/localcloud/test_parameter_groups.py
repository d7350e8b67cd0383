"""A parameter group takes the names and values that RDS takes, and says in RDS's words what it does not take."""

from __future__ import annotations

import subprocess
from decimal import Decimal

import pytest
from moto.rds.exceptions import RDSClientError

from localcloud.engines.postgresql import PACKAGES, PROGRAMS
from localcloud.services.rds.parameter_groups import ALLOWED, RANGE, check, is_formula


@pytest.mark.parametrize(
    ("family", "name", "value"),
    [
        ("mysql8.4", "require_secure_transport", "1"),
        ("mysql8.4", "slow_query_log", "0"),
        ("mysql8.4", "long_query_time", "0.5"),
        ("mysql8.4", "innodb_buffer_pool_size", "{DBInstanceClassMemory*3/4}"),
        ("mysql8.4", "max_connections", "LEAST({DBInstanceClassMemory/12582880},5000)"),
        ("mysql8.4", "log_output", "FILE"),
        ("mysql8.4", "sql_mode", "ANSI_QUOTES,STRICT_ALL_TABLES"),
        ("mysql8.4", "transaction_isolation", "READ-COMMITTED"),
        ("mysql8.4", "init_connect", "SET NAMES utf8mb4"),
        ("mysql8.0", "default_authentication_plugin", "mysql_native_password"),
        ("postgres18", "rds.force_ssl", "1"),
        ("postgres18", "log_min_duration_statement", "-1"),
        ("postgres18", "autovacuum_vacuum_scale_factor", "0.01"),
        ("postgres18", "random_page_cost", "1.1"),
        ("postgres18", "shared_preload_libraries", "pg_stat_statements, pg_cron"),
        ("postgres18", "default_transaction_isolation", "repeatable read"),
        ("neptune1.4", "neptune_query_timeout", "120000"),
    ],
)
def test_what_rds_allows_is_allowed(family: str, name: str, value: str) -> None:
    check(family, name, value)


@pytest.mark.parametrize(
    ("family", "name", "value", "message"),
    [
        (
            "mysql8.4",
            "require_secure_transport",
            "ON",
            "Invalid parameter value: ON for: require_secure_transport allowed values are: 0,1",
        ),
        ("mysql8.0", "slow_query_log", "OFF", "allowed values are: 0,1"),
        ("mysql8.4", "require_secure_transport", "true", "allowed values are: 0,1"),
        ("mysql8.4", "require_secure_transport", "", "allowed values are: 0,1"),
        ("mysql8.4", "long_query_time", "-1", "allowed values are: 0-31536000"),
        ("mysql8.4", "long_query_time", "soon", "allowed values are: 0-31536000"),
        ("mysql8.4", "long_query_time", "NaN", "allowed values are: 0-31536000"),
        ("mysql8.4", "sql_mode", "STRICT", "allowed values are: ALLOW_INVALID_DATES,ANSI,"),
        ("mysql8.4", "slow_query_logs", "1", "Could not find parameter with name: slow_query_logs"),
        ("mysql8.4", "default_authentication_plugin", "x", "Could not find parameter with name: default_"),
        ("mysql8.4", "rds.force_ssl", "1", "Could not find parameter with name: rds.force_ssl"),
        ("postgres18", "require_secure_transport", "1", "Could not find parameter with name: require_secure_transport"),
        ("postgres18", "rds.force_ssl", "on", "Invalid parameter value: on for: rds.force_ssl allowed values are: 0,1"),
        ("postgres18", "log_min_duration_statement", "-2", "allowed values are: -1-2147483647"),
        ("postgres18", "work_mem", "8MB", "allowed values are: 64-2147483647"),
        ("oracle-ee-19", "open_cursors", "300", "it does not support those of oracle-ee-19"),
    ],
)
def test_what_rds_refuses_is_refused_in_its_words(family: str, name: str, value: str, message: str) -> None:
    with pytest.raises(RDSClientError) as caught:
        check(family, name, value)
    assert caught.value.code == "InvalidParameterValue"
    assert message in caught.value.message


def test_a_formula_is_not_a_value_of_the_engine() -> None:
    assert is_formula("{DBInstanceClassMemory*3/4}")
    assert not is_formula("1024")


def test_postgresql_itself_knows_what_its_families_may_set_and_allows_more() -> None:
    """Those of extensions and of RDS have a dot in their names."""
    program = PACKAGES / PROGRAMS / "bin" / "postgres"
    described = subprocess.run([program, "--describe-config"], capture_output=True, text=True, check=True).stdout
    engine = {fields[0].lower(): fields for fields in (line.split("\t") for line in described.splitlines())}
    for name, allowed in ALLOWED["postgres18"].items():
        if "." in name:
            continue
        kind, least, most = engine[name][3], engine[name][5], engine[name][6]
        assert (kind == "BOOLEAN") == (allowed == "0,1"), name
        limits = RANGE.fullmatch(allowed) if isinstance(allowed, str) else None
        assert (kind in ("INTEGER", "REAL")) == bool(limits), name
        if limits:
            assert Decimal(least) <= Decimal(limits[1]) < Decimal(limits[2]) <= Decimal(most), name
