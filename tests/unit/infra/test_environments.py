"""Environments: which settings hold in each, and which stack a name means."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from contract.errors import InputError
from infra import environments
from infra.commands import chosen
from infra.config import Config, ConfigError


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose cdk.json has two settings, of which the environment prod has others."""
    (tmp_path / "cdk.json").write_text(
        json.dumps({"app": "app", "context": {"web_app.email": "all@example.com", "web_app": {"backup_days": 3}}})
    )
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments" / "prod.json").write_text(
        json.dumps({"web_app": {"email": "prod@example.com", "database_two_zones": True}, "tags": {"Owner": "shop"}})
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def settings(environment: str, **context: Any) -> Config:
    [(_, config)] = environments.configurations(
        environments.usual()
        | {key.replace("__", "."): value for key, value in context.items()}
        | {"environment": environment}
    )
    return config


def test_an_environment_has_its_own_settings_before_those_of_all(project: Path) -> None:
    config = settings("prod")
    assert (config.web_app.email, config.web_app.database_two_zones) == ("prod@example.com", True)
    assert config.tags == {"Owner": "shop"}
    assert config.environment == "prod"


def test_an_environment_without_a_file_has_the_settings_of_all(project: Path) -> None:
    assert settings("dev").web_app.email == "all@example.com"


def test_the_command_line_holds_before_the_environments_file(project: Path) -> None:
    assert settings("prod", web_app__email="now@example.com").web_app.email == "now@example.com"


def test_without_environments_the_settings_are_those_of_the_context(project: Path) -> None:
    [(environment, config)] = environments.configurations(environments.usual())
    assert (environment, config.web_app.email) == ("", "all@example.com")


@pytest.mark.parametrize("value", ["dev, prod", ["dev", "prod"]])
def test_several_environments_are_configured_side_by_side(project: Path, value: Any) -> None:
    configurations = dict(environments.configurations(environments.usual() | {"environment": value}))
    assert {name: config.web_app.email for name, config in configurations.items()} == {
        "dev": "all@example.com",
        "prod": "prod@example.com",
    }


@pytest.mark.parametrize(
    ("context", "message"),
    [
        ({"environment": "dev,dev"}, "names an environment twice"),
        ({"environment": "Production-of-Europe"}, "lower-case letters and digits, 16 at most"),
        ({"environment": "averyveryverylongname"}, "lower-case letters and digits, 16 at most"),
        ({"environment": "../../secrets"}, "lower-case letters and digits, 16 at most"),
    ],
)
def test_a_name_that_cannot_be_an_environment_is_refused(project: Path, context: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        list(environments.configurations(context))


def test_a_file_that_cannot_be_read_is_named(project: Path) -> None:
    (project / "environments" / "dev.json").write_text("{")
    with pytest.raises(ConfigError, match=r"environments/dev\.json: The file cannot be read"):
        settings("dev")


def test_a_file_does_not_name_another_environment(project: Path) -> None:
    (project / "environments" / "dev.json").write_text('{"environment": "prod"}')
    with pytest.raises(ConfigError, match=r"dev\.json: The file says environment prod"):
        settings("dev")


def test_a_deployed_name_says_the_stack_and_its_environment(project: Path) -> None:
    stack = chosen("WebApp-prod", None)
    assert (stack.name, stack.section, stack.overrides) == ("WebApp-prod", "web_app", {"environment": "prod"})
    assert stack.config.web_app.email == "prod@example.com"


def test_the_command_line_chooses_the_environment_of_a_stack(project: Path) -> None:
    assert chosen("WebApp", ["environment=prod"]).name == "WebApp-prod"
    assert chosen("WebApp", None).name == "WebApp"


@pytest.mark.parametrize(
    ("name", "context", "message"),
    [
        ("WebApp", ["environment=dev,prod"], "Say which one is meant: WebApp-dev, WebApp-prod"),
        ("WebApp-dev", ["environment=prod"], "The name says that the environment is dev, and -c says prod"),
        ("Shop-dev", None, "There is no stack Shop-dev"),
    ],
)
def test_an_ambiguous_name_is_refused(project: Path, name: str, context: list[str] | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        chosen(name, context)


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({}, "asks for CostCenter: give it with -c tags.CostCenter=VALUE"),
        ({"costcenter": "100"}, "spells costcenter as CostCenter"),
        ({"CostCenter": "300"}, r"allows 100, 2\* for CostCenter, and not 300"),
    ],
)
def test_tags_that_the_tag_policy_does_not_allow_are_refused(
    tmp_path: Path, tags: dict[str, str], message: str
) -> None:
    policy = {"tags": {"costcenter": {"tag_key": {"@@assign": "CostCenter"}, "tag_value": {"@@assign": ["100", "2*"]}}}}
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(policy))
    with pytest.raises(ConfigError, match=message):
        Config.from_context({"tag_policy": str(file), "tags": tags})
    config = Config.from_context({"tag_policy": str(file), "tags": "CostCenter=200"})
    assert config.tags == {"CostCenter": "200"}


@pytest.mark.parametrize("content", ["", "[]", '{"tags": 3}', '{"rules": {}}'])
def test_what_is_not_a_tag_policy_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "policy.json"
    file.write_text(content)
    with pytest.raises(ConfigError, match="is not a tag policy"):
        Config.from_context({"tag_policy": str(file)})


@pytest.mark.parametrize("tags", ["Owner", "aws:owner=me", "Owner=<me>", ",".join(f"t{n}=v" for n in range(51))])
def test_tags_that_aws_refuses_are_refused(tags: str) -> None:
    with pytest.raises(ConfigError, match="tags"):
        Config.from_context({"tags": tags})


def test_tags_are_remembered_one_by_one() -> None:
    config = Config.from_context({"tags": "Owner=data", "tags.team:cost.center": "42"})
    assert config.tags == {"Owner": "data", "team:cost.center": "42"}
    assert Config.from_context(config.chosen("web_app")) == config
