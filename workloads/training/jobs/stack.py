"""The deployed stack, by its outputs: where jobs go, and where what they leave is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from workloads.errors import InputError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

DEFAULT = "Training"


@dataclass(frozen=True)
class TrainingStack:
    """A stack and its outputs."""

    name: str
    outputs: Mapping[str, str]

    @classmethod
    def find(cls, name: str) -> TrainingStack:
        """The deployed stack of that name.

        Raises:
            InputError: There is none, or AWS cannot be asked.
        """
        try:
            answer = client("cloudformation").describe_stacks(StackName=name)
        except ClientError as error:
            raise InputError(
                f"stack {name}: {error.response['Error'].get('Message')}. Deploy it (cdk deploy {name}), give its name "
                '(--stack), or use the local cloud (eval "$(groundwork local env)")'
            ) from error
        except BotoCoreError as error:
            raise UnavailableError(f"stack {name}: AWS cannot be asked: {error}") from error
        found = answer["Stacks"][0].get("Outputs", [])
        return cls(name, {output["OutputKey"]: output["OutputValue"] for output in found})

    def __getitem__(self, output: str) -> str:
        """One output.

        Raises:
            InputError: The stack has none of that name.
        """
        if output not in self.outputs:
            raise InputError(f"stack {self.name} has no output {output}: deploy its newest version")
        return self.outputs[output]


def client(service: str) -> Any:
    """A patient client of AWS."""
    return boto3.client(service, config=Config(retries={"mode": "standard", "max_attempts": 5}))  # type: ignore[call-overload]
