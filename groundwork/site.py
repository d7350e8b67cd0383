"""The storefront on this machine, served as its instance serves it.

Apache, with the same site configuration, stands before gunicorn; where there is no Apache, gunicorn serves without it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from contract.stacks import StackName
from localcloud import LocalCloud
from localcloud.cloud import processes
from localcloud.commands import named
from localcloud.engines import apache
from localcloud.engines.programs import find
from localcloud.errors import LocalCloudError
from terminal.screen import say

STACK = StackName.WEB_APP
HOSTS = ".localhost,127.0.0.1"  # no name that another site can have, and lead here (DNS rebinding)
SERVER_FILES = Path(str(files("workloads") / "storefront" / "server"))


@dataclass(frozen=True)
class Site:
    """A site that is being served.

    Attributes:
        url: Where it is.
        secure_url: Where it is by HTTPS, with a certificate of the cloud's authority; empty without Apache.
        server: What serves it, in words.
        logs: Folder of the logs.
    """

    url: str
    secure_url: str
    server: str
    logs: Path


@contextmanager
def storefront(
    cloud: LocalCloud,
    folder: Path,
    *,
    port: int = 0,
    workers: int = 2,
    environment: Mapping[str, str] | None = None,
    definitions: Mapping[str, str] | None = None,
) -> Iterator[Site]:
    """Serve the storefront of a cloud to which WebApp is deployed, by what the stack's outputs tell, until the end.

    Args:
        cloud: The cloud.
        folder: For logs and configuration.
        port: Loopback port for HTTP; 0 takes a free one.
        workers: Processes of gunicorn.
        environment: More variables for the application.
        definitions: More definitions for the site's configuration, such as TRUSTED_PROXY.

    Raises:
        LocalCloudError: The stack is not deployed, or a server did not start; the message says where its log is.
    """
    cloud.outputs(STACK)  # says so if there is no such stack
    command = [sys.executable, "-m", "workloads", "storefront", "serve", "--stack", STACK, "--workers", str(workers)]
    command += ["--hosts", HOSTS]
    with_apache = _has_apache()
    bind = f"127.0.0.1:{0 if with_apache else port}"
    folder.mkdir(parents=True, exist_ok=True)
    application, listening = processes.serve(
        [*command, "--database-ca", str(cloud.certificate_authority), "--bind", bind],
        log=folder / "gunicorn.log",
        environment=cloud.inherited_environment()
        | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        | dict(environment or {}),
        ready=r"Listening at: http://([\d.]+:\d+)",
    )
    try:
        if not with_apache:
            yield Site(
                f"http://{listening[1]}", "", "gunicorn without Apache (it is neither installed nor unpacked)", folder
            )
            return
        defined = {"APPLICATION": listening[1], **(definitions or {})}
        front = apache.start(cloud.folder, folder / "apache", SERVER_FILES / "site.conf", defined, port)
        try:
            server = f"{front.version} in front of gunicorn"
            yield Site(f"http://localhost:{front.port}", f"https://localhost:{front.secure_port}", server, folder)
        finally:
            front.stop()
    finally:
        processes.end(application)


def _has_apache() -> bool:
    try:
        find("apache2")
    except LocalCloudError:
        return False
    return True


def site(
    name: Annotated[str, typer.Option(help="Which local cloud.")] = "default",
    port: Annotated[
        int, typer.Option(help="Loopback port (default: a free one).", min=0, max=65535, show_default=False)
    ] = 0,
) -> None:
    """Serve the storefront of a local cloud as its instance would, until Ctrl-C: Apache in front of gunicorn."""
    cloud = named(name)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with storefront(cloud, cloud.folder / "site", port=port) as served:
        say(f"{served.server}: {served.url}" + (f" and {served.secure_url}" if served.secure_url else ""))
        say(f"Logs: {served.logs}. End it with Ctrl-C.", errors=True)
        stop.wait()
