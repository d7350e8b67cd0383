"""The templates of stacks under some settings; those of unchanged code are not made again."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

from contract.stacks import StackName
from infra import kept
from infra.config import Config
from infra.environments import deployed_name


def templates(config: Config, names: Collection[str] = ()) -> dict[str, dict[str, Any]]:
    """Return the templates of stacks under some settings, by the stacks' names.

    Args:
        config: The settings.
        names: Which stacks, without the environment; all of them by default. A name that no stack has is left out.
    """
    chosen = [stack.value for stack in StackName if not names or stack in names]

    def synthesise() -> None:
        from aws_cdk import App  # noqa: PLC0415 - takes long, and what is kept does without it

        from infra.stacks import STACKS  # noqa: PLC0415

        app = App(outdir=folder, builtin_cloud_formation_validation=False)  # cfn-lint looks at them in `infra.check`
        for stack in STACKS:
            if stack.__name__ in chosen:
                stack(app, deployed_name(stack.__name__, config.environment), config)
        app.synth()

    with tempfile.TemporaryDirectory() as folder:
        about = {"stacks": chosen, "settings": config.model_dump(mode="json")}
        kept.synthesised(Path(folder), about, synthesise)
        deployed = [deployed_name(name, config.environment) for name in chosen]
        return {name: json.loads(Path(folder, f"{name}.template.json").read_text("utf-8")) for name in deployed}
