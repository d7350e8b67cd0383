"""What the tests of the training runtime share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto import mock_aws

from workloads import storage


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """AWS in this process, with dummy credentials."""
    for name, value in {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    storage.s3.cache_clear()
    with mock_aws() as mocked:
        mocked.reset()  # moto does so by itself only when no other mock is active in this process
        yield
    storage.s3.cache_clear()
