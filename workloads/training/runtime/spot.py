"""The notice that EC2 gives two minutes before it takes a spot instance back."""

from __future__ import annotations

import json
import os
import threading
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import Request, urlopen

if TYPE_CHECKING:
    from collections.abc import Callable

_METADATA = "http://169.254.169.254/"
_TOKEN_SECONDS = 21600
_TIMEOUT_SECONDS = 2.0


class SpotWatch:
    """Asks the instance's metadata, at once and every few seconds, in the background, until stopped or noticed.

    It watches only in AWS Batch jobs: elsewhere there may be no metadata to ask.

    Args:
        noticed: Called once, with what EC2 is going to do and when, in words.
        interval: Seconds between questions; AWS recommends five.
    """

    def __init__(self, noticed: Callable[[str], None], interval: float = 5.0) -> None:
        self._noticed, self._interval = noticed, interval
        self._base = os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or _METADATA
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="spot-watch", daemon=True)
        disabled = os.environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true"
        if "AWS_BATCH_JOB_ID" in os.environ and not disabled:
            self._thread.start()

    def stop(self) -> None:
        """End the watch."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _watch(self) -> None:
        token = ""
        while True:
            try:
                token = token or self._token()
                if notice := self._notice(token):
                    self._noticed(notice)
                    return
            except (OSError, ValueError):  # nobody answers, or not in time, or strangely: ask again
                token = ""
            if self._stopped.wait(self._interval):
                return

    def _token(self) -> str:
        header = {"X-aws-ec2-metadata-token-ttl-seconds": str(_TOKEN_SECONDS)}
        return self._ask(Request(f"{self._base}latest/api/token", method="PUT", headers=header))  # noqa: S310

    def _notice(self, token: str) -> str | None:
        address = f"{self._base}latest/meta-data/spot/instance-action"
        try:
            notice = json.loads(self._ask(Request(address, headers={"X-aws-ec2-metadata-token": token})))  # noqa: S310
        except HTTPError as error:
            error.close()
            if error.code == 404:  # noqa: PLR2004 - nothing is going to happen
                return None
            raise
        return f"spot instance: {notice['action']} at {notice['time']}"

    @staticmethod
    def _ask(request: Request) -> str:
        with urlopen(request, timeout=_TIMEOUT_SECONDS) as response:  # noqa: S310 - the instance's metadata
            text: str = response.read().decode()
        return text
