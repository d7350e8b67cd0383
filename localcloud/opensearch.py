"""OpenSearch: an in-memory server of its API, with k-NN.

moto gap: a domain is a record without a server behind it. Neither signatures nor passwords of requests are verified.
"""

import os
import subprocess
import sys
from pathlib import Path

from osmem_server import resolve_binary  # type: ignore[import-untyped]

from localcloud import processes
from localcloud.certificates import Certificate

SERVER = str(Path(__file__).with_name("opensearch_server.py"))


def start(folder: Path, certificate: Certificate | None = None) -> tuple[subprocess.Popen[bytes], int]:
    """Start an empty server and wait until it serves; what it holds is in memory.

    Args:
        folder: Holds its log.
        certificate: Serve HTTPS with it; plain HTTP without.

    Returns:
        The process, and its loopback port.

    Raises:
        LocalCloudError: It did not start.
    """
    tls = [str(certificate.certificate), str(certificate.key)] if certificate else []
    process, ready = processes.serve(
        [sys.executable, "-I", SERVER, resolve_binary(), *tls],
        log=folder / "opensearch.log",
        environment=os.environ,
        ready=r"listening on (\d+)",
    )
    return process, int(ready[1])
