"""The files that Neptune's bulk loader reads: those of a bucket whose keys begin with a prefix.

The loader reads them from the local cloud's S3 as the role that the request names, so policies are judged as for
anybody. The local cloud decides whether the cluster may use the role, and gives it the credentials.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from localcloud.cloud.account import post
from localcloud.engines import front
from localcloud.engines.neptune_errors import NeptuneError

#: The forms in which a request may name what it loads.
URI = re.compile(r"(?:s3://|https://s3(?:\.[a-z0-9-]+)?\.amazonaws\.com/)([^/]+)(?:/(.*))?")
OPENED: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open}


class ReadError(Exception):
    """A file that cannot be read.

    Attributes:
        status: Neptune's status of the file.
        code: Neptune's name of the error.
    """

    def __init__(self, status: str, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


@dataclass(frozen=True)
class File:
    """A file of a source: its address, its key, and the tag that changes with its content."""

    uri: str
    key: str
    tag: str


class Source:
    """A bucket and a prefix, as a role may read them."""

    def __init__(self, uri: str, role: str, region: str) -> None:
        """Ask the local cloud for the credentials of the role.

        Raises:
            NeptuneError: The source is not an address in S3, or the cluster may not use the role, or does not reach S3.
        """
        match = URI.fullmatch(uri)
        if not match:
            raise NeptuneError("InvalidParameterException", f"The source {uri} is not an address in Amazon S3")
        self._uri, self._bucket, self._prefix = uri, match[1], match[2] or ""
        self._client = _client(_permission(uri, self._bucket, role, region), region)

    def files(self) -> list[File]:
        """Return the files whose keys begin with the prefix, by key.

        Raises:
            NeptuneError: The role may not list them, or there are none.
        """
        from botocore.exceptions import ClientError

        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix)
        try:
            objects = [item for page in pages for item in page.get("Contents", [])]
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "AccessDenied":
                message = f"Unable to perform S3 list operation: {error}"
                raise NeptuneError("LoadUrlAccessDeniedException", message) from error
            message = f"Failed to start load because of unknown error from S3: {error}"
            raise NeptuneError("InternalFailureException", message, 500) from error
        files = [
            File(f"s3://{self._bucket}/{item['Key']}", item["Key"], item["ETag"])
            for item in objects
            if not (item["Key"].endswith("/") and item["Size"] == 0)  # the mark of an empty folder
        ]
        if not files:
            raise NeptuneError("BadRequestException", f"The source {self._uri} does not exist/not reachable")
        return files

    @contextmanager
    def lines(self, file: File) -> Iterator[Iterator[str]]:
        """Open a file, which may be compressed with gzip or bzip2, and yield its lines as they are read.

        Raises:
            ReadError: The role may not read it, it has changed since it was listed, or it is damaged.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            body = self._client.get_object(Bucket=self._bucket, Key=file.key, IfMatch=file.tag)["Body"]
            with body:
                opened = OPENED.get(Path(file.key).suffix)
                content = opened(body) if opened else io.BufferedReader(_Raw(body))
                yield io.TextIOWrapper(content, encoding="utf-8", errors="replace", newline="\n")
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in {"PreconditionFailed", "412", "NoSuchKey"}:
                status = "LOAD_DATA_FAILED_DUE_TO_FEED_MODIFIED_OR_DELETED"
                message = "The file was changed or deleted after the load had listed it"
                raise ReadError(status, "FILE_MODIFICATION_OR_DELETION_ERROR", message) from error
            if code == "AccessDenied":
                raise ReadError("LOAD_S3_ACCESS_DENIED_ERROR", "S3_ACCESS_DENIED_ERROR", str(error)) from error
            raise ReadError("LOAD_S3_READ_ERROR", "INTERNAL_ERROR", str(error)) from error
        except (BotoCoreError, OSError, EOFError, zlib.error) as error:
            raise ReadError("LOAD_S3_READ_ERROR", "INTERNAL_ERROR", f"The file cannot be read: {error}") from error


class _Raw(io.RawIOBase):
    """The body of an answer of S3 as a stream of bytes that can be buffered."""

    def __init__(self, body: Any) -> None:
        self._body = body

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = self._body.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)


def _permission(uri: str, bucket: str, role: str, region: str) -> dict[str, str]:
    """Return the variables with which a process signs as the role.

    Raises:
        NeptuneError: The local cloud refuses the load.
    """
    gate = front.gate_of_front()
    if gate is None:
        raise NeptuneError("UnsupportedOperationException", "Only a cluster of a local cloud has a bulk loader")
    asked = {"cluster": gate.resource, "source": uri, "bucket": bucket, "role": role, "region": region}
    url = f"{gate.endpoint}/moto-api/neptune-loads"
    answer = json.loads(post(url, Path(gate.folder), json.dumps(asked).encode()))
    if "code" in answer:
        raise NeptuneError(answer["code"], answer["message"], answer["status"])
    return cast("dict[str, str]", answer)


def _client(variables: dict[str, str], region: str) -> Any:
    import boto3
    from botocore.config import Config

    gate = cast("front.Gate", front.gate_of_front())
    session = boto3.session.Session(
        variables["AWS_ACCESS_KEY_ID"],
        variables["AWS_SECRET_ACCESS_KEY"],
        variables["AWS_SESSION_TOKEN"],
        region_name=region,
    )
    config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, read_timeout=600)
    return session.client("s3", endpoint_url=gate.endpoint, config=config)
