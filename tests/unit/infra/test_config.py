"""The configuration: from the CDK's context, or one clear line that names what is wrong."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from infra import settings
from infra.config import Config, ConfigError

SECTIONS = {name: field.default for name, field in Config.model_fields.items() if isinstance(field.default, BaseModel)}


def test_an_empty_context_gives_the_defaults() -> None:
    assert Config.from_context({}) == Config()


def test_dotted_and_nested_settings_go_together() -> None:
    config = Config.from_context(
        {"termination_alarm": {"threshold": 3, "email": "ops@example.com"}, "termination_alarm.threshold": "4"}
    )
    assert config.termination_alarm.threshold == 4
    assert config.termination_alarm.email == "ops@example.com"


def test_the_order_of_dotted_and_nested_settings_does_not_lose_any() -> None:
    config = Config.from_context({"training.job_attempts": "7", "training": {"job_vcpus": 8}})
    assert (config.training.job_attempts, config.training.job_vcpus) == (7, 8)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("termination_alarm.threshold", "5", 5),
        ("termination_alarm.count_expected", "true", True),
        ("termination_alarm.log_retention_days", "30", 30),
        ("termination_alarm.watch", "all", "all"),
        ("training.instance_types", "c7i, m7i", ["c7i", "m7i"]),
        ("training.instance_types", ["c7i"], ["c7i"]),
        ("training.code", "s3://bucket/path/code.zip", "s3://bucket/path/code.zip"),
        ("training", '{"job_attempts": 9}', 9),
    ],
)
def test_values_come_as_text_from_the_command_line(key: str, value: Any, expected: Any) -> None:
    config = Config.from_context({key: value})
    section, name = key.split(".") if "." in key else (key, "job_attempts")
    assert getattr(getattr(config, section), name) == expected


@pytest.mark.parametrize("key", ["@aws-cdk/core:newStyleStackSynthesis", "aws:cdk:bundling-stacks", "cdk-migrate"])
def test_the_cdks_own_keys_are_not_ours(key: str) -> None:
    assert Config.from_context({key: True}) == Config()


@pytest.mark.parametrize(
    ("context", "message"),
    [
        (
            {"trainig.job_attempts": 1},
            r'^There is no setting "trainig"\. Did you mean "training"\? There are allow_data_deletion, ',
        ),
        (
            {"termination_alarm.treshold": 1},
            r'^There is no setting "termination_alarm.treshold"\. Did you mean "termination_alarm.threshold"\?',
        ),
        ({"colour": "red"}, r'^There is no setting "colour"\. There are '),
        ({"termination_alarm.threshold": "0"}, "\"termination_alarm.threshold\": '0' is not allowed: .* equal to 1"),
        ({"termination_alarm.threshold": "many"}, "'many' is not allowed: Input should be a valid integer"),
        ({"termination_alarm.email": "me"}, "'me' is not allowed: it must be an e-mail address, or nothing"),
        ({"termination_alarm.watch": "none"}, "'none' is not allowed: it must be group, all, groups:NAME,NAME or tag:"),
        ({"termination_alarm.period_seconds": 90}, "90 is not allowed: 90 is not a multiple of 60"),
        ({"termination_alarm.log_retention_days": 4}, "4 is not allowed: Input should be 1, 3, 5"),
        ({"termination_alarm.datapoints_to_alarm": 2}, r"datapoints_to_alarm \(M\) must not exceed"),
        ({"termination_alarm.desired_instances": 3}, "minimum_instances <= desired_instances <= maximum_instances"),
        ({"termination_alarm.vpc_id": "vpc-1"}, "vpc_id and subnet_ids go together"),
        ({"termination_alarm.vpc_id": "net"}, "must be a VPC's id"),
        ({"training.vpc_id": "vpc-1", "training.subnet_ids": "a"}, "'a' is not a subnet's id"),
        ({"training.runnable_limit_seconds": 60}, "greater than or equal to 600"),
        ({"training.code": "bundle"}, "must be s3://bucket/key.zip"),
        ({"training.code": "s3://bucket/a';reboot;'.zip"}, "must be s3://bucket/key.zip"),
        ({"data_ecosystem.source_cidr": "10.0.0.0/33"}, "must be an IPv4 range"),
        ({"data_ecosystem.source_cidr": "10.0.0.300/8"}, "source_cidr"),
        ({"web_app.allowed_cidr": "10.0.0.1/8"}, "has host bits set"),
        ({"data_ecosystem.search_storage_gib": 101}, "search_storage_gib is 101, but t3.small.search has room for 100"),
        ({"training.instance_types": ""}, "at least 1 item"),
        ({"training": "all"}, '"training".* valid dictionary'),
        ({"training": "{"}, "not JSON"),
        ({"allow_data_deletion.x": 1, "allow_data_deletion": True}, "True is not allowed beside"),
        ({"allow_data_deletion": True, "allow_data_deletion.x": 1}, "has no settings of its own"),
        ({"allow_data_deletion": "perhaps"}, "'perhaps' is not allowed: Input should be a valid boolean"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line_with_what_is_allowed(context: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        Config.from_context(context)
    assert "\n" not in str(error.value)


#: Settings that exclude each other or need another one.
WRONG_TOGETHER: list[dict[str, Any]] = [
    {"data_ecosystem.database_snapshot": "snap", "data_ecosystem.database_source": "db-ABC"},
    {"data_ecosystem.database_restore_time": "2026-11-29T00:00:00Z"},
    {"data_ecosystem.database_storage_gib": 100, "data_ecosystem.database_maximum_storage_gib": 109},
    {"data_ecosystem.search_storage_gib": 101},
    {"termination_alarm.period_seconds": 90},
    {"termination_alarm.desired_instances": 3},
    {"termination_alarm.datapoints_to_alarm": 2},
    {"termination_alarm.period_seconds": 3600, "termination_alarm.evaluation_periods": 169},
    {"budget.limit_usd": 10},
    {"web_app.ssh_key_name": "key"},
    {"web_app.vpc_id": "vpc-0a1b2c3d"},
    {"training.vpc_id": "vpc-0a1b2c3d", "training.subnet_ids": "a"},
    {"training.first_zone": "us-east-1a"},
    {"training.first_zone": "us-east-1a", "training.second_zone": "us-east-1a"},
    {
        "training.first_zone": "us-east-1a",
        "training.second_zone": "us-east-1b",
        "training.vpc_id": "vpc-0a1b2c3d",
        "training.subnet_ids": "subnet-0a1b2c3d",
    },
    {"devops_metrics.rollup_days": 30},
    {"devops_metrics.raw_days": 30, "devops_metrics.rollup_days": 29},
    {"web_app.vpc_endpoint": False},
    {"web_app.backup_window": "01:00-01:10"},
    {"web_app.maintenance_window": "sun:06:00-sun:06:10"},
    {"web_app.backup_window": "01:00-02:00", "web_app.maintenance_window": "sun:01:30-sun:02:30"},
    {"flow_log_bucket_arn": "flow-logs"},
    {"flow_log_bucket_arn": "arn:aws:logs:us-east-1:123456789012:log-group:flow-logs"},
    {"access_log_bucket": "arn:aws:s3:::access-logs"},
    {"tags": "aws:owner=me"},
    {"tags": "Owner=<me>"},
    {"tags": ",".join(f"tag{number}=value" for number in range(51))},
    {"tag_policy": "nowhere.json"},
    *(
        {
            "web_app.vpc_id": "vpc-0a1b2c3d",
            "web_app.vpc_cidr": "10.0.0.0/16",
            "web_app.public_subnet_ids": public,
            "web_app.isolated_subnet_ids": "subnet-0a1b2c3d,subnet-1a2b3c4d",
        }
        for public in ("subnet-2a1b2c3d", "subnet-2a1b2c3d,subnet-0a1b2c3d")
    ),
]


def wrong_tags(folder: Path) -> list[dict[str, Any]]:
    """Tags that a policy does not allow, and a policy that is none."""
    policy, no_policy = folder / "policy.json", folder / "no_policy.json"
    rule = {"tag_key": {"@@assign": "CostCenter"}, "tag_value": {"@@assign": ["100"]}}
    policy.write_text(json.dumps({"tags": {"costcenter": rule}}))
    no_policy.write_text("[]")
    tags: list[dict[str, Any]] = [{}, {"tags": "costcenter=100"}, {"tags": "CostCenter=200"}]
    return [*({"tag_policy": str(policy), **more} for more in tags), {"tag_policy": str(no_policy)}]


def test_every_combination_that_the_settings_refuse_is_refused_here(tmp_path: Path) -> None:
    complaints = [complaint(context) for context in [*WRONG_TOGETHER, *wrong_tags(tmp_path)]]
    assert all(complaints)
    for file in Path(settings.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Raise):
                texts = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant)]
                words = max(map(str, texts), key=len).strip(" .:")
                assert any(words in told for told in complaints), f"{file.name}, line {node.lineno}: {words}"


@pytest.mark.parametrize("section", SECTIONS)
def test_a_value_beyond_what_a_setting_allows_is_refused_by_name(section: str) -> None:
    for name, schema in type(SECTIONS[section]).model_json_schema()["properties"].items():
        beyond: dict[str, Any] = {
            "minimum": schema.get("minimum", 0) - 1,
            "maximum": schema.get("maximum", 0) + 1,
            "enum": "something else",
            "pattern": "\x00",
        }
        for limit in beyond.keys() & schema.keys():
            assert name in complaint({f"{section}.{name}": beyond[limit]}), limit


def complaint(context: dict[str, Any]) -> str:
    """What a person reads; nothing if the context is right."""
    try:
        Config.from_context(context)
    except ConfigError as error:
        return str(error)
    return ""


anything = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text())


@given(st.dictionaries(st.text(), anything | st.dictionaries(st.text(), anything)))
def test_whatever_the_context_holds_the_answer_is_a_configuration_or_one_line(context: dict[str, Any]) -> None:
    assert "\n" not in complaint(context)


@given(st.sampled_from(sorted(SECTIONS)), st.data())
def test_whatever_a_setting_is_given_a_complaint_names_it(section: str, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(type(SECTIONS[section]).model_fields)))
    told = complaint({f"{section}.{name}": data.draw(anything)})
    assert not told or section in told
    assert "\n" not in told


@pytest.mark.parametrize("section", SECTIONS)
def test_every_setting_is_described_once_and_for_all_uses(section: str) -> None:
    for name, schema in type(SECTIONS[section]).model_json_schema()["properties"].items():
        assert re.fullmatch(r"[A-Z].*\.", schema["description"]) or schema["description"].startswith("vCPUs"), name
        assert schema["group"], name
        assert ("pattern" in schema) <= bool(schema.get("hint")), name


def test_nothing_changes_after_reading() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Config().training.job_attempts = 1  # type: ignore[misc]


def test_what_several_stacks_ask_for_has_one_type() -> None:
    """And so one pattern: an address that one stack takes, another takes, too."""
    patterns: dict[str, set[str]] = {}
    for section in SECTIONS.values():
        for name, schema in type(section).model_json_schema()["properties"].items():
            kind = re.sub(r"^(ssh|source|gpu|database)_", "", name)
            patterns.setdefault(name if "cidr" in name else kind, set()).add(schema.get("pattern", ""))
    shared = {"email", "code", "image", "machine_image", "influxdb_instance_type"}
    assert {name: len(patterns[name]) for name in shared} == dict.fromkeys(shared, 1)
