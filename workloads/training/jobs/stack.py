"""The deployed stack, by its outputs: where jobs go, and where what they leave is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from contract.errors import InputError
from contract.stacks import StackName
from workloads.stack_outputs import stack_outputs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

DEFAULT = StackName.TRAINING


@dataclass(frozen=True)
class TrainingStack:
    """A stack and its outputs."""

    name: str
    outputs: Mapping[str, str]

    @classmethod
    def find(cls, name: str) -> TrainingStack:
        """Return the deployed stack of that name.

        Raises:
            InputError: There is none, or no account or region is chosen.
            UnavailableError: AWS does not answer.
        """
        return cls(name, stack_outputs(name))

    @property
    def option(self) -> str:
        """The option with which a command uses the same stack, after a blank; empty for the default."""
        return "" if self.name == DEFAULT else f" --stack {self.name}"

    def __getitem__(self, output: str) -> str:
        """One output.

        Raises:
            InputError: The stack has none of that name.
        """
        if output not in self.outputs:
            raise InputError(f"Stack {self.name}: The stack has no output {output}. Deploy its newest version.")
        return self.outputs[output]


def client(service: str) -> Any:
    """Return a patient client of AWS."""
    return boto3.client(service, config=Config(retries={"mode": "standard", "max_attempts": 5}))  # type: ignore[call-overload]
