"""Write tables of a stack's page in the documentation: its settings, and the job definitions of the workloads."""

from __future__ import annotations

import re

from pydantic import BaseModel

from contract.workloads import MACHINES, TRAINING
from infra.config import Config
from infra.settings.account import AccountSettings

SETTINGS = re.compile(r"(<!-- settings of (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
ACCOUNT = "account"
JOB_DEFINITIONS = re.compile(r"(<!-- job definitions -->\n).*?(<!-- end -->)", re.DOTALL)


def with_tables(page: str) -> str:
    """Return a page with current tables, which stand between comments.

    A table of settings begins after `<!-- settings of NAME -->`, that of the job definitions after
    `<!-- job definitions -->`; each ends before `<!-- end -->`.
    """
    page = SETTINGS.sub(lambda block: f"{block[1]}\n{table(block[2])}\n{block[3]}", page)
    return JOB_DEFINITIONS.sub(lambda block: f"{block[1]}\n{job_definitions()}\n{block[2]}", page)


def job_definitions() -> str:
    """Return the outputs that have the workloads' job definitions as a Markdown table, with a row for each workload."""
    rows = ["| workload | without a GPU | with a GPU | on several nodes |", "|---|---|---|---|"]
    for workload in TRAINING.values():
        cells = [f"`{workload.job_output(machine)}`" if machine in workload.machines else "" for machine in MACHINES]
        rows.append(f"| {' | '.join([f'[{workload.name}](../workloads/{workload.name}.md)', *cells])} |")
    return "\n".join(rows) + "\n"


def table(section: str) -> str:
    """Return the settings of one stack, or those of all stacks alike (`account`), as a Markdown table."""
    model = AccountSettings() if section == ACCOUNT else Config.model_fields[section].default
    if not isinstance(model, BaseModel):
        raise TypeError(f"{section} is not the settings of a stack")
    prefix = "" if section == ACCOUNT else f"{section}."
    rows = ["| setting | default | what it does | allowed |", "|---|---|---|---|"]
    for name, schema in type(model).model_json_schema()["properties"].items():
        meaning = schema["description"] + (f" Empty: {schema['empty']}." if schema["empty"] else "")
        cells = [f"`{prefix}{name}`", _value(schema["default"]), meaning, _allowed(schema)]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _value(default: object) -> str:
    if isinstance(default, list):
        default = ",".join(default)
    if isinstance(default, dict):
        default = ",".join(f"{key}={value}" for key, value in default.items())
    text = str(default).lower() if isinstance(default, bool) else str(default)
    return f"`{text}`" if text else "(empty)"


def _allowed(schema: dict[str, object]) -> str:
    if schema.get("hint"):
        return str(schema["hint"])
    if isinstance(values := schema.get("enum"), list):
        return ", ".join(f"`{value}`" for value in values)
    if "minimum" in schema:
        return f"{schema['minimum']} to {schema['maximum']}" if "maximum" in schema else f"from {schema['minimum']}"
    return {"boolean": "`true`, `false`", "array": "a list: `a,b`"}.get(str(schema["type"]), "")
