"""One running cloud for all modules here that do not look at what others left in it, and one that is hasty."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from localcloud import LocalCloud

HASTE = "import sys; sys.setswitchinterval(1e-6)"  # threads take turns some thousand times more often


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """A local cloud that modules share, so each names its resources as nobody else does; it tries again at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCALCLOUD_RETRY_SECONDS", "0.1")
        with LocalCloud(tmp_path_factory.mktemp("cloud")) as running:
            yield running


def signed(cloud: LocalCloud, method: str, path: str) -> dict[str, str]:
    """The headers of a request to S3 that is signed with the cloud's key, whatever its body."""
    environment = cloud.environment()
    request = AWSRequest(method, f"{cloud.endpoint}{path}", headers={"Host": cloud.endpoint.partition("://")[2]})
    credentials = Credentials(environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"])
    request.context["payload_signing_enabled"] = False
    S3SigV4Auth(credentials, "s3", environment["AWS_REGION"]).add_auth(request)
    return dict(request.headers)


@pytest.fixture(scope="session")
def hasty_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """A local cloud whose threads interrupt each other as often as possible, so that what can go wrong does."""
    folder = tmp_path_factory.mktemp("haste")
    (folder / "sitecustomize.py").write_text(HASTE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        with LocalCloud(tmp_path_factory.mktemp("hasty-cloud")) as running:
            yield running


@pytest.fixture(scope="module")
def enforcing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """A cloud of the module's own that enforces permissions."""
    with LocalCloud(tmp_path_factory.mktemp("enforcing"), iam="enforce") as running:
        yield running
