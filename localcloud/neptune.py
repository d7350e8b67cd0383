"""Neptune: an embedded graph database behind its openCypher endpoint, so that boto3's `neptunedata` works unchanged.

moto gap: a cluster is a record without a database behind it. The signature of requests (IAM) is not verified.
"""

import os
import subprocess
import sys
from pathlib import Path

from localcloud import processes
from localcloud.certificates import Certificate

SERVER = str(Path(__file__).with_name("neptune_server.py"))


def start(folder: Path, certificate: Certificate | None = None) -> tuple[subprocess.Popen[bytes], int]:
    """Start an empty graph database, or the one that is in the folder; wait until it serves.

    Args:
        folder: Holds its data and log.
        certificate: Serve HTTPS with it; plain HTTP without.

    Returns:
        The process, and its loopback port.

    Raises:
        LocalCloudError: It did not start.
    """
    tls = [str(certificate.certificate), str(certificate.key)] if certificate else []
    process, ready = processes.serve(
        [sys.executable, "-I", SERVER, str(folder / "graph"), *tls],
        log=folder / "neptune.log",
        environment=os.environ,
        ready=r"listening on (\d+)",
    )
    return process, int(ready[1])
