"""What Neptune answers where it does not do what a request says."""

from __future__ import annotations


class NeptuneError(Exception):
    """An error with the name and the status of Neptune's.

    Attributes:
        code: Its name, such as `BadRequestException`.
        status: HTTP's status.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.status = code, status
