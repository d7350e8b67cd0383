"""Fixtures for every level: a running local cloud."""

from __future__ import annotations

import atexit
import copy
import functools
import gc
import os
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import hypothesis
import pytest
from botocore.loaders import JSONFileLoader
from xdist.scheduler import LoadScopeScheduling

from groundwork import local
from localcloud import LocalCloud
from localcloud.cloud import local_cloud
from localcloud.cloud.settings import SECRET_ACCESS_KEY
from tests.forked_clouds import forked
from tests.processor_time import OPTION, ProcessorTime

gc.set_threshold(50_000, 50)  # what is imported are a million objects, and none is garbage
WORKER = "PYTEST_XDIST_WORKER" in os.environ
if WORKER:
    atexit.register(os._exit, 0)  # the last: nor does Python free them one by one in the end

# Each of pytest's workers has a core; PyTorch in it, and in what it starts, must not take all of them.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# As the command line does: tests start clouds, and find engines, without it.
local.use()

# A cloud that a test starts is forked from a process that has imported what it runs on.
local_cloud.start_server = forked(local_cloud.start_server)

# boto3's default session keeps the first credentials that it finds, and a worker's tests meet several clouds.
os.environ.setdefault(SECRET_ACCESS_KEY, secrets.token_urlsafe(30))

# botocore reads its models of services again for each session, of which tests make many hundreds. A client of S3
# changes the model that it is made with, so each gets one of its own.
_read = functools.cache(functools.partial(JSONFileLoader.load_file, JSONFileLoader()))
JSONFileLoader.load_file = lambda _self, path: (  # type: ignore[method-assign]
    copy.deepcopy(_read(path)) if f"{os.sep}s3{os.sep}" in path else _read(path)
)

# No test is about time: on a busy machine an example may take any.
hypothesis.settings.register_profile("default", deadline=None)
hypothesis.settings.load_profile("default")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer the table of CPU-seconds by file."""
    parser.addoption(OPTION, action="store_true", help="print the CPU-seconds of each test file")


def pytest_configure(config: pytest.Config) -> None:
    """Measure CPU-seconds where they are asked for."""
    if config.getoption(OPTION):
        config.pluginmanager.register(ProcessorTime(), "processor-time")


LONGEST = ("tests/e2e/", "tests/integration/training/", "tests/unit/training/")


class FolderScheduling(LoadScopeScheduling):
    """A worker takes a folder's tests: they share engines, clouds and templates that take seconds to start."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.partition("::")[0].rpartition("/")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FolderScheduling:
    return FolderScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, so that in the end no worker is alone with them."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


def pytest_collection_finish() -> None:
    if WORKER:
        gc.freeze()  # pytest looks for garbage, too, when all tests are done


@pytest.fixture(scope="module", autouse=True)
def _leaves_no_aws_behind() -> Iterator[None]:
    """A module whose AWS outlives it would be met by the next one that its worker takes."""
    before = _aws()
    yield
    boto3.DEFAULT_SESSION = None  # it keeps the credentials that it found first
    assert _aws() == before


def _aws() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("AWS_")}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """A local cloud of the module's own, on a free port."""
    with LocalCloud(tmp_path_factory.mktemp("cloud"), iam="enforce") as running:
        yield running


@pytest.fixture(scope="session")
def code_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code as one zip file, made as the pages of the stacks say."""
    from infra.packing import packed

    return packed(tmp_path_factory.mktemp("bundle") / "code.zip").path


@pytest.fixture(scope="session")
def eventually() -> Callable[[Callable[[], Any]], Any]:
    """Waits until a question has a true answer, and gives it; for what the cloud does in the background."""

    def wait(ask: Callable[[], Any], seconds: float = 120) -> Any:
        deadline = time.monotonic() + seconds
        while not (answer := ask()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return answer

    return wait
