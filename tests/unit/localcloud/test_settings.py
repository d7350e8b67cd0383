"""The settings of a local cloud come from its command and its environment, once, when it starts."""

from __future__ import annotations

import pytest

from localcloud.cloud.settings import IDLE_SECONDS, RETRY_SECONDS, SECRET_ACCESS_KEY, Settings
from localcloud.errors import LocalCloudError


@pytest.fixture(autouse=True)
def without_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (IDLE_SECONDS, RETRY_SECONDS, SECRET_ACCESS_KEY):
        monkeypatch.delenv(variable, raising=False)


def test_a_cloud_has_defaults() -> None:
    assert Settings.read("established", "enforce") == Settings()


def test_a_cloud_is_started_with_options_and_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(RETRY_SECONDS, "0.1")
    monkeypatch.setenv(IDLE_SECONDS, "3")
    monkeypatch.setenv(SECRET_ACCESS_KEY, "mine")
    settings = Settings.read("new", "warn")
    assert settings == Settings("new", "warn", 0.1, 3.0, "mine")
    assert "mine" not in repr(settings)


@pytest.mark.parametrize("text", ["soon", "-1", "nan", "inf"])
def test_what_is_not_a_number_of_seconds_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(IDLE_SECONDS, text)
    with pytest.raises(LocalCloudError, match=f"^{IDLE_SECONDS}: {text} is not a number of seconds"):
        Settings.read("established", "warn")
