"""The one account of the local cloud, and how a program reaches it."""

import os
import threading
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import botocore.session
from botocore.config import Config

from localcloud.certificates import TRUSTED

ACCOUNT = "123456789012"
REGION = "us-east-1"


def environment(endpoint: str, cloud: Path) -> dict[str, str]:
    """What a program needs to use the cloud at ``endpoint``, whose folder is ``cloud``, with any AWS SDK."""
    trusted = str(cloud / TRUSTED)
    return {
        "AWS_CA_BUNDLE": trusted,
        "PGSSLROOTCERT": trusted,
        "SSL_CERT_FILE": trusted,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ENDPOINT_URL_S3": endpoint,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def connect(service: str, endpoint: str) -> Any:
    """A boto3 client of ``service`` that ignores the caller's own AWS settings; made once and shared."""
    with _lock:  # sessions are not safe to use from several threads, clients are
        return _connect(service, endpoint)


@cache
def _connect(service: str, endpoint: str) -> Any:
    config = Config(retries={"total_max_attempts": 1}, inject_host_prefix=False)
    return _session().client(service, endpoint_url=endpoint, config=config)


@cache
def _session() -> Any:
    # No profile and no file of the caller's is looked for, so none can be missing or damaged.
    nothing: Any = {
        "profile": (None, [], None, None),
        "config_file": (None, None, os.devnull, None),
        "credentials_file": (None, None, os.devnull, None),
    }
    session = botocore.session.Session(session_vars=nothing)
    return boto3.session.Session("local", "local", region_name=REGION, botocore_session=session)


def forget_caller() -> None:
    """Take the caller's settings for AWS out of this process and those that it starts."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ |= {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


_lock = threading.Lock()
