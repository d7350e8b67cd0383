"""The settings of a stack as a table in its page of the documentation, from the descriptions in `infra.settings`."""

from __future__ import annotations

import re

from pydantic import BaseModel

from infra.config import Config

BLOCK = re.compile(r"(<!-- settings of (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def with_tables(page: str) -> str:
    """Return a page with current tables; each stands between `<!-- settings of NAME -->` and `<!-- end -->`."""
    return BLOCK.sub(lambda block: f"{block[1]}\n{table(block[2])}\n{block[3]}", page)


def table(section: str) -> str:
    """Return the settings of one stack as a Markdown table."""
    model = Config.model_fields[section].default
    if not isinstance(model, BaseModel):
        raise TypeError(f"{section} is not the settings of a stack")
    rows = ["| setting | default | what it does | allowed |", "|---|---|---|---|"]
    for name, schema in type(model).model_json_schema()["properties"].items():
        meaning = schema["description"] + (f" Empty: {schema['empty']}." if schema["empty"] else "")
        cells = [f"`{section}.{name}`", _value(schema["default"]), meaning, _allowed(schema)]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _value(default: object) -> str:
    if isinstance(default, list):
        default = ",".join(default)
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
