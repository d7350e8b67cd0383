"""OpenSearch: an in-memory server of its API, with k-NN.

moto gap: a domain is a record without a server behind it. `localcloud.access.data_requests` admits requests.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.opensearch.models import OpenSearchDomain, OpenSearchServiceBackend
from osmem_server import resolve_binary  # type: ignore[import-untyped]

from localcloud.cloud import processes
from localcloud.cloud.certificates import Certificate, issue
from localcloud.cloud.context import Cloud
from localcloud.engines import front
from localcloud.errors import LocalCloudError
from localcloud.hooks import after, wrap


@dataclass
class Servers:
    """The processes behind domains, by their ARNs."""

    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)


def start(
    folder: Path, certificate: Certificate | None = None, gate: front.Gate | None = None
) -> tuple[subprocess.Popen[bytes], int]:
    """Start an empty server and wait until it serves; what it holds is in memory.

    Args:
        folder: Holds its log.
        certificate: Serve HTTPS with it; plain HTTP without.
        gate: Where it asks whether a request may go on; without one, every request may.

    Returns:
        The process, and its loopback port.

    Raises:
        LocalCloudError: It did not start.
    """
    tls = [str(certificate.certificate), str(certificate.key)] if certificate else []
    command, environment = front.command("opensearch_server", resolve_binary(), *tls, gate=gate)
    process, ready = processes.serve(
        command, log=folder / "opensearch.log", environment=environment, ready=r"listening on (\d+)"
    )
    return process, int(ready[1])


@wrap(OpenSearchServiceBackend, "create_domain")
def _create_domain(cloud: Cloud, original: Any, self: OpenSearchServiceBackend, **options: Any) -> OpenSearchDomain:
    with cloud.lock("opensearch"):
        domain: OpenSearchDomain = original(self, **options)
    folder = cloud.new_folder("opensearch")
    gate = front.Gate(cloud.endpoint, str(cloud.folder), domain.arn)
    try:
        cloud.state(Servers).running[domain.arn], port = start(folder, issue(cloud.folder, folder), gate)
    except LocalCloudError as error:
        del self.domains[domain.domain_name]
        raise JsonRESTError("InternalException", str(error)) from error
    if domain.endpoints:
        domain.endpoints = {"vpc": f"localhost:{port}"}
    else:
        domain.endpoint = f"localhost:{port}"
    return domain


@after(OpenSearchServiceBackend, "delete_domain")
def _delete_domain(cloud: Cloud, domain: OpenSearchDomain, *_args: Any, **_kwargs: Any) -> None:
    if process := cloud.state(Servers).running.pop(domain.arn, None):
        processes.end(process)
