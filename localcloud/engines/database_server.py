"""What the servers behind RDS have in common."""

from __future__ import annotations

import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

from localcloud.cloud import processes
from localcloud.cloud.certificates import Certificate

STOP_SECONDS = 10


class DatabaseServer(ABC):
    """A database server that serves on localhost, with TLS for whoever trusts its authority.

    Attributes:
        port: Its loopback port, which it keeps.
        authority: The certificate of the authority that signed it.
        folder: Holds its data, certificate and log.
    """

    def __init__(self, folder: Path, certificate: Certificate, username: str, password: str) -> None:
        self.port = processes.free_port()
        self.authority = certificate.authority
        self.folder, self._certificate = folder, certificate
        self._username, self._password = username, password
        self._process: subprocess.Popen[bytes] | None = None

    def restart(self, parameters: Mapping[str, str]) -> None:
        """Stop it if it runs, and start it again, with its data, under the parameters of its parameter group.

        Raises:
            LocalCloudError: It did not start.
        """
        self.stop()
        self._process = self._start(parameters)

    def stop(self) -> None:
        """Stop it; its data stay."""
        if self._process:
            processes.end(self._process, STOP_SECONDS)
            self._process = None

    def remove(self) -> None:
        """Stop it, and remove its folder."""
        self.stop()
        shutil.rmtree(self.folder)

    def change_password(self, password: str) -> None:
        """Give the master user another password."""
        self._set_password(password)
        self._password = password

    @abstractmethod
    def _start(self, parameters: Mapping[str, str]) -> subprocess.Popen[bytes]: ...

    @abstractmethod
    def _set_password(self, password: str) -> None: ...
