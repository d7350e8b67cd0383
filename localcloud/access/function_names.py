"""How requests name functions of Lambda: by name, ARN or the end of one, of the function, a version or an alias."""

from __future__ import annotations

import re
from dataclasses import dataclass

from localcloud.cloud.account import ACCOUNT, REGION

_FORM = re.compile(r"(?:(?:.*:)?function:|\d{12}:)?([\w.-]+)(?::([\w$.-]+))?")


@dataclass(frozen=True)
class FunctionName:
    """A function, or one of its versions or aliases; as a text, with a colon between the two.

    Attributes:
        name: The function's name.
        qualifier: A version or the name of an alias; empty for the function itself.
    """

    name: str
    qualifier: str = ""

    def __str__(self) -> str:
        """Return the end of the ARN."""
        return f"{self.name}:{self.qualifier}" if self.qualifier else self.name

    @property
    def arn(self) -> str:
        """Its ARN in the cloud's account."""
        return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self}"


def read(text: str) -> FunctionName:
    """Return what a name, an ARN or the end of an ARN names; a text of another form is a name."""
    match = _FORM.fullmatch(text)
    return FunctionName(match[1], match[2] or "") if match else FunctionName(text)
