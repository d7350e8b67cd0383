"""Write the reference of all commands, docs/commands.md, from the commands themselves.

python -m groundwork.reference docs/commands.md
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup, TyperOption

from groundwork.__main__ import app

_HEAD = """\
# Commands

Every command, with its arguments and options. `make templates` writes this page from the commands themselves.
Not listed are `--help`, and `--json` and `--csv`, which [the command line, for programs](command-line.md) explains
with the exit codes.
"""
_EVERYWHERE = {"--help", "--json", "--csv"}


def page() -> str:
    """Return the page as Markdown."""
    return "\n".join([_HEAD, *_sections(typer.main.get_command(app), "groundwork")])


def _sections(command: Any, name: str, parent: typer.Context | None = None) -> Iterator[str]:
    """Return a section for a command, or for each command of a group, in the order in which its help lists them."""
    context = command.make_context(name.rpartition(" ")[2], [], parent=parent, resilient_parsing=True)
    if isinstance(command, TyperGroup):
        for word in command.list_commands(context):
            _, member, _ = command.resolve_command(context, [word])
            yield from _sections(member, f"{name} {word}", context)
        return
    yield f"## {name.removeprefix('groundwork ')}\n"
    yield f"{command.help}\n"
    yield f"```\n{' '.join([name, *command.collect_usage_pieces(context)])}\n```\n"
    rows = [_row(parameter) for parameter in command.params if not {*parameter.opts} & _EVERYWHERE]
    if rows:
        yield "\n".join(["| argument or option | what it does | default |", "|---|---|---|", *rows, ""])


def _row(parameter: Any) -> str:
    """Return a row for an argument or an option."""
    names = [*parameter.opts, *parameter.secondary_opts] if isinstance(parameter, TyperOption) else [parameter.name]
    default = parameter.default
    shown = "" if default in (None, False, (), "") or callable(default) else f"`{default}`"
    help_text = (parameter.help or "").replace("|", "\\|").replace("\n", " ")
    return f"| `{', '.join(names)}` | {help_text} | {'required' if parameter.required else shown} |"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
