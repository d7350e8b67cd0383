"""Settings of networks: what goes together, and what is refused by name."""

from __future__ import annotations

import pytest

from infra.config import Config, ConfigError

PUBLIC, ISOLATED = "subnet-0a1b2c3d,subnet-1a2b3c4d", "subnet-2a1b2c3d,subnet-3a2b3c4d"
TIERS = {
    "web_app.vpc_id": "vpc-0a1b2c3d",
    "web_app.vpc_cidr": "10.0.0.0/16",
    "web_app.public_subnet_ids": PUBLIC,
    "web_app.isolated_subnet_ids": ISOLATED,
}


def test_a_whole_network_is_taken() -> None:
    assert Config.from_context(TIERS).web_app.isolated_subnet_ids == ISOLATED.split(",")


@pytest.mark.parametrize("missing", TIERS)
def test_a_part_of_a_network_is_refused(missing: str) -> None:
    rest = {name: value for name, value in TIERS.items() if name != missing}
    with pytest.raises(ConfigError, match="vpc_id, vpc_cidr, public_subnet_ids and isolated_subnet_ids go together"):
        Config.from_context(rest)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"web_app.public_subnet_ids": "subnet-0a1b2c3d"}, "public_subnet_ids has one subnet"),
        ({"web_app.isolated_subnet_ids": PUBLIC}, "it can be only one"),
        ({"web_app.isolated_subnet_ids": "a,b"}, "'a' is not a subnet's id"),
        ({"web_app.first_zone": "us-east-1a", "web_app.second_zone": "us-east-1b"}, "leave them out beside vpc_id"),
    ],
)
def test_a_network_that_cannot_be_is_refused(changed: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Config.from_context(TIERS | changed)


@pytest.mark.parametrize("section", ["termination_alarm", "training", "devops_metrics", "data_ecosystem", "web_app"])
@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ("us-east-1a", "", "give both"),
        ("us-east-1a", "us-east-1a", "must be two zones"),
        ("us-east-1", "us-east-1b", "an availability zone, such as us-east-1a"),
    ],
)
def test_zones_are_two_that_differ(section: str, first: str, second: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Config.from_context({f"{section}.first_zone": first, f"{section}.second_zone": second})


def test_an_endpoint_is_left_out_only_of_an_existing_vpc() -> None:
    with pytest.raises(ConfigError, match="only in an existing VPC"):
        Config.from_context({"data_ecosystem.vpc_endpoint": "false"})


def test_an_alarm_does_not_look_back_further_than_cloudwatch_does() -> None:
    with pytest.raises(ConfigError, match="must not exceed 604800 seconds"):
        Config.from_context({"termination_alarm.period_seconds": 86400, "termination_alarm.evaluation_periods": 8})
    with pytest.raises(ConfigError, match="must not exceed 86400 seconds"):
        Config.from_context({"termination_alarm.period_seconds": 3540, "termination_alarm.evaluation_periods": 25})
