"""What the servers behind RDS have in common."""

from __future__ import annotations

import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from localcloud.cloud import processes
from localcloud.cloud.certificates import Certificate

STOP_SECONDS = 10
#: How long a question may take.
LONGEST_SECONDS = 60
#: What a running server keeps beside its data, about itself.
OWN_FILES = shutil.ignore_patterns("*.pid", "*.sock", ".s.PGSQL.*")


@dataclass(frozen=True)
class Saved:
    """The data of a server as they were at one moment, as a snapshot of its volume has them.

    Attributes:
        data: The folder that holds them.
        username: The master user.
        password: The master user's password.
    """

    data: Path
    username: str
    password: str

    def copy(self, folder: Path) -> Saved:
        """Copy the data into a folder, which must not exist, and return the copy."""
        shutil.copytree(self.data, folder)
        return Saved(folder, self.username, self.password)


@dataclass(frozen=True)
class Rows:
    """What a question is answered with.

    Attributes:
        columns: Their names.
        rows: Cells in the order of the columns.
        more: Whether there are more rows than were asked for.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    more: bool = False


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

    def save(self, folder: Path) -> Saved:
        """Copy the data as they are now into a folder, which must not exist. The server goes on serving.

        What was not finished is undone when a server starts with the copy, as after a crash.
        """
        with processes.frozen(self._process) if self._process else nullcontext():
            shutil.copytree(self.folder / "data", folder, ignore=OWN_FILES)
        return Saved(folder, self._username, self._password)

    def change_password(self, password: str) -> None:
        """Give the master user another password."""
        self._set_password(password)
        self._password = password

    @abstractmethod
    def ask(self, database: str, text: str, limit: int) -> Rows:
        """Ask one question in SQL as the master user, in a transaction that may only read.

        Args:
            database: Which database is meant; empty for the master user's own.
            text: The question.
            limit: How many rows at most.

        Raises:
            LocalCloudError: The server does not answer it; the message says why.
        """

    @abstractmethod
    def _start(self, parameters: Mapping[str, str]) -> subprocess.Popen[bytes]: ...

    @abstractmethod
    def _set_password(self, password: str) -> None: ...
