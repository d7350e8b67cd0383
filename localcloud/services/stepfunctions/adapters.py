"""How properties of CloudFormation become parameters of AWS Step Functions, where more than a name differs."""

from __future__ import annotations

import json
import re

from localcloud.cloudformation.translation import Properties

PLACEHOLDER = re.compile(r"\$\{([\w-]+)\}")


def state_machine(values: Properties) -> Properties:
    """Give the definition as a text, with its substitutions.

    Raises:
        ValueError: There is no definition.
    """
    definition, names = values.pop("Definition", None), values.pop("DefinitionSubstitutions", {})
    if definition is None:
        raise ValueError("a state machine needs a DefinitionString or a Definition")
    text = definition if isinstance(definition, str) else json.dumps(definition)
    return {**values, "Definition": PLACEHOLDER.sub(lambda place: str(names.get(place[1], place[0])), text)}
