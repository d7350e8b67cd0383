"""WebApp on a local cloud: the console's template, with a bundle of the code in a bucket, as a person deploys it."""

from __future__ import annotations

import http.server
import os
import ssl
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

import pytest

from groundwork import site
from groundwork.site import SERVER_FILES, Site
from localcloud import LocalCloud
from localcloud.engines import apache
from localcloud.engines.apache import Apache

PROJECT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """One for all modules here, which look at one stack."""
    with LocalCloud(tmp_path_factory.mktemp("cloud"), iam="enforce") as running:
        yield running


@pytest.fixture(scope="session")
def outputs(cloud: LocalCloud, code_bundle: Path) -> dict[str, str]:
    cloud.folder.chmod(0o755)  # Apache's children, who are nobody if root runs the tests
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="mine")
    s3.upload_file(str(code_bundle), "mine", "code-1.zip")
    return deploy(cloud, "WebApp", Email="ops@example.com")


def deploy(cloud: LocalCloud, stack: str, **parameters: str) -> dict[str, str]:
    """Make a stack from the console's template; its outputs."""
    given = {"Code": "s3://mine/code-1.zip", **parameters}
    cloud.client("cloudformation").create_stack(
        StackName=stack,
        TemplateURL=cloud.template_url((PROJECT / "cloudformation" / "web-app.yaml").read_text()),
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in given.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    return cloud.outputs(stack)


@pytest.fixture(scope="session")
def storefront(cloud: LocalCloud, outputs: dict[str, str]) -> Callable[..., str]:
    """Runs `groundwork storefront` with the stack's outputs, on generated data; gives what it says."""

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "workloads", "storefront", *arguments, "--stack", "WebApp"],
            env={name: value for name, value in os.environ.items() if name != "GROUNDWORK_DATA"}
            | cloud.environment()
            | {"STOREFRONT_DATABASE_CA": str(cloud.certificate_authority)},
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def served(cloud: LocalCloud, storefront: Callable[..., str]) -> Iterator[Site]:
    storefront("init")
    storefront("load", "--scale", "0.05")
    with site.storefront(cloud, cloud.folder / "site", workers=1) as running:
        yield running


class Echo(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write("".join(f"{name}: {text}\n" for name, text in self.headers.items()).encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="session")
def application() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def front(cloud: LocalCloud, application: str, tmp_path: Path) -> Iterator[Callable[..., Apache]]:
    """Apache with the site's configuration and what else is defined."""
    tmp_path.chmod(0o755)
    running: list[Apache] = []

    def start(site: Path = SERVER_FILES / "site.conf", **definitions: str) -> Apache:
        running.append(apache.start(cloud.folder, tmp_path, site, {"APPLICATION": application, **definitions}))
        return running[-1]

    yield start
    for each in running:
        each.stop()


@dataclass
class Answer:
    status: int
    headers: Message
    text: str


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: object, **_kwargs: object) -> None:
        return None


def get(url: str, authority: Path | None = None, data: bytes | None = None, **headers: str) -> Answer:
    context = ssl.create_default_context(cafile=authority)
    opener = urllib.request.build_opener(_NoRedirect, urllib.request.HTTPSHandler(context=context))
    request = urllib.request.Request(url, data, {name.replace("_", "-"): text for name, text in headers.items()})  # noqa: S310 - loopback
    try:
        with opener.open(request, timeout=30) as answer:
            return Answer(answer.status, answer.headers, answer.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.headers, error.read().decode())
