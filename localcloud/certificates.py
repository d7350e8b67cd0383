"""TLS on this machine: an authority of the cloud's own, and certificates that it issues to servers on localhost."""

import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import cast

import certifi
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

AUTHORITY = "certificate-authority.pem"
TRUSTED = "trusted-authorities.pem"
_lock = threading.Lock()


@dataclass(frozen=True)
class Certificate:
    """Where a server finds what TLS needs; ``authority`` is for its clients."""

    authority: Path
    certificate: Path
    key: Path


def issue(cloud: Path, folder: Path) -> Certificate:
    """A certificate for a server on localhost, written to ``folder``.

    Args:
        cloud: The cloud's folder, which holds its authority; made with the first certificate.
        folder: The server's folder.
    """
    authority, authority_key = _authority(cloud)
    made = Certificate(authority, folder / "server.pem", folder / "server.key")
    issuer = x509.load_pem_x509_certificate(authority.read_bytes())
    signer = serialization.load_pem_private_key(authority_key.read_bytes(), None)
    _make(made.certificate, made.key, "localhost", issuer, cast("ec.EllipticCurvePrivateKey", signer))
    return made


def trust(cloud: Path) -> None:
    """Write the list of those whom a cloud's programs trust: the public authorities, and its own."""
    authority, _ = _authority(cloud)
    (cloud / TRUSTED).write_text(f"{certifi.contents()}\n{authority.read_text()}")


def _authority(cloud: Path) -> tuple[Path, Path]:
    """The cloud's authority and its key, made when they are first asked for."""
    authority, key = cloud / AUTHORITY, cloud / "certificate-authority.key"
    with _lock:
        if not authority.exists():
            _make(authority, key, "Groundwork local cloud")
    return authority, key


def _make(
    path: Path,
    key_path: Path,
    name: str,
    issuer: x509.Certificate | None = None,
    signer: ec.EllipticCurvePrivateKey | None = None,
) -> None:
    """Write a key and its certificate: the issuer's for a server on localhost, or its own for an authority."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    hosts = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(IPv4Address("127.0.0.1"))])
    authority = (signer or key).public_key()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=397))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority), critical=False)
    )
    certificate = (
        certificate.add_extension(hosts, critical=False)
        if issuer
        else certificate.add_extension(_signs_certificates(), critical=True)
    )
    signed = certificate.sign(signer or key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    key_path.touch(mode=0o600)
    key_path.write_bytes(private)
    path.write_bytes(signed.public_bytes(serialization.Encoding.PEM))


def _signs_certificates() -> x509.KeyUsage:
    no = dict.fromkeys(
        (
            "digital_signature",
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    return x509.KeyUsage(key_cert_sign=True, crl_sign=True, **no)
