"""TLS on this machine: an authority of the cloud's own, and certificates that it issues to servers on localhost."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import certifi
import trustme

AUTHORITY = "certificate-authority.pem"
TRUSTED = "trusted-authorities.pem"
LIFETIME = timedelta(days=397)  # browsers refuse certificates that last longer
_lock = threading.Lock()


@dataclass(frozen=True)
class Certificate:
    """Where a server finds what TLS needs; ``authority`` is for its clients."""

    authority: Path
    certificate: Path
    key: Path


def issue(cloud: Path, folder: Path) -> Certificate:
    """Issue a certificate for a server on localhost, and write it to ``folder``.

    Args:
        cloud: The cloud's folder, which holds its authority. The first certificate creates the authority.
        folder: The server's folder.
    """
    begin = datetime.now(UTC) - timedelta(days=1)
    issued = _authority(cloud).issue_cert("localhost", "127.0.0.1", not_before=begin, not_after=begin + LIFETIME)
    certificate = Certificate(cloud / AUTHORITY, folder / "server.pem", folder / "server.key")
    issued.cert_chain_pems[0].write_to_path(certificate.certificate)
    _keep(issued.private_key_pem, certificate.key)
    return certificate


def trust(cloud: Path) -> None:
    """Write the list of those whom a cloud's programs trust: the public authorities, and its own."""
    (cloud / TRUSTED).write_text(f"{certifi.contents()}\n{_authority(cloud).cert_pem.bytes().decode()}")


def _authority(cloud: Path) -> trustme.CA:
    """Return the cloud's authority; create it if it does not exist or if its files are damaged."""
    certificate, key = cloud / AUTHORITY, cloud / "certificate-authority.key"
    with _lock:
        with contextlib.suppress(OSError, ValueError):  # the authority does not exist, or its files are damaged
            return trustme.CA.from_pem(certificate.read_bytes(), key.read_bytes())
        authority = trustme.CA(organization_name="Local cloud")
        _keep(authority.private_key_pem, key)
        authority.cert_pem.write_to_path(certificate)
        return authority


def _keep(secret: trustme.Blob, path: Path) -> None:
    path.touch(mode=0o600)
    secret.write_to_path(path)
