"""The one account of the local cloud, and how a program reaches it."""

from __future__ import annotations

import hmac
import os
import secrets
import threading
from functools import cache
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from localcloud.cloud.certificates import TRUSTED

ACCOUNT = "123456789012"
REGION = "us-east-1"
ACCESS_KEY_ID = "local"
#: Programs of the cloud's own user may sign with this one, too, where the system says whose they are.
WELL_KNOWN_SECRET = "local"  # noqa: S105 - it is not a secret
#: The name under which requests to the cloud itself are signed, which are to none of AWS's services.
OWN_SERVICE = "localcloud"
SECRET = "secret-access-key"  # noqa: S105 - a file


def make_secret_access_key(cloud: Path, chosen: str = "") -> None:
    """Write the secret key of a cloud that starts: the one that was chosen, or else a new one."""
    path = cloud / SECRET
    path.unlink(missing_ok=True)
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(chosen or secrets.token_urlsafe(30))


def secret_access_key(cloud: Path) -> str:
    """Return the secret key of the cloud in this folder, with which its clients sign their requests."""
    return (cloud / SECRET).read_text()


def console_key(cloud: Path) -> str:
    """The key that opens the console of the cloud in this folder; it follows from the secret key, not the reverse."""
    return hmac.new(secret_access_key(cloud).encode(), b"console", "sha256").hexdigest()[:32]


def environment(endpoint: str, cloud: Path) -> dict[str, str]:
    """Return what a program needs to use the cloud at ``endpoint``, whose folder is ``cloud``, with any AWS SDK."""
    trusted = str(cloud / TRUSTED)
    return {
        "AWS_CA_BUNDLE": trusted,
        "PGSSLROOTCERT": trusted,
        "SSL_CERT_FILE": trusted,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ENDPOINT_URL_S3": endpoint,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
        "AWS_SECRET_ACCESS_KEY": secret_access_key(cloud),
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def connect(service: str, endpoint: str, cloud: Path) -> Any:
    """Return a boto3 client of the cloud in a folder, made once; it ignores the AWS settings of the caller."""
    with _lock:  # sessions are not safe to use from several threads, clients are
        return _connect(service, endpoint, secret_access_key(cloud))


def post(url: str, cloud: Path, content: bytes = b"") -> bytes:
    """Post to an address of the cloud in a folder that is none of AWS's, signed with the cloud's key.

    Returns:
        What it answers.

    Raises:
        urllib.error.HTTPError: The cloud refuses.
    """
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    signed = AWSRequest("POST", url, data=content)
    SigV4Auth(Credentials(ACCESS_KEY_ID, secret_access_key(cloud)), OWN_SERVICE, REGION).add_auth(signed)
    with urlopen(Request(url, content, dict(signed.headers), method="POST")) as response:  # noqa: S310 - loopback
        return bytes(response.read())


@cache
def _connect(service: str, endpoint: str, secret: str) -> Any:
    from botocore.config import Config

    config = Config(retries={"total_max_attempts": 1}, inject_host_prefix=False)
    return _session(secret).client(service, endpoint_url=endpoint, config=config)


@cache
def _session(secret: str) -> Any:
    import boto3
    import botocore.session

    # No profile and no file of the caller's is looked for, so none can be missing or damaged.
    nothing: Any = {
        "profile": (None, [], None, None),
        "config_file": (None, None, os.devnull, None),
        "credentials_file": (None, None, os.devnull, None),
    }
    session = botocore.session.Session(session_vars=nothing)
    return boto3.session.Session(ACCESS_KEY_ID, secret, region_name=REGION, botocore_session=session)


def forget_caller() -> None:
    """Take the caller's settings for AWS out of this process and those that it starts."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ |= {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


_lock = threading.Lock()
