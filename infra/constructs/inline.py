"""The code of a function as one text that needs only Python and boto3, because it stands in the template.

A function imports what it shares with other code from a module of `contract`. In the template, the definitions that it
names stand in the place of the import, with whatever they need of their module, and nothing else of it.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator

from infra import PROJECT

FOLDER = PROJECT / "lambda"


def source(folder: str) -> str:
    """Return the code of `lambda/<folder>/index.py` with the definitions of `contract` in place of its imports.

        code = aws_lambda.Code.from_inline(source("catalog_indexer"))

    Raises:
        ValueError: Two definitions have one name, so that one of them would take the other's place.
    """
    text = (FOLDER / folder / "index.py").read_text(encoding="utf-8")
    while statement := next(_imports_from_contract(text), None):
        lines = text.splitlines()
        before, after = lines[: statement.lineno - 1], lines[statement.end_lineno :]
        known = {name for line in ast.parse("\n".join(before)).body if _is_import(line) for name in _defined(line)}
        shared = definitions(str(statement.module), {alias.name for alias in statement.names}, known)
        text = "\n".join([*_stripped(before), "", "", *shared, "", "", *after]) + "\n"
    text = "\n".join(_single_gaps(text.splitlines())) + "\n"
    defined = Counter(name for line in ast.parse(text).body if not _is_import(line) for name in _defined(line))
    if twice := sorted(name for name, times in defined.items() if times > 1):
        raise ValueError(f"lambda/{folder}/index.py: {twice[0]} is defined twice, there or in what it imports.")
    return text


def definitions(module: str, names: set[str], known: set[str]) -> list[str]:
    """Return the lines of a module that define some names, and whatever these need of the module.

    Args:
        module: Such as `contract.rentals`.
        names: Of functions, classes and constants.
        known: What the function has imported already.
    """
    path = f"{module.replace('.', '/')}.py"
    lines = (PROJECT / path).read_text(encoding="utf-8").splitlines()
    statements = ast.parse("\n".join(lines)).body
    kept: set[int] = set()
    while more := {at for at, statement in enumerate(statements) if names & set(_defined(statement))} - kept:
        kept |= more
        names = names | {name for at in more for name in _used(statements[at])}
    kept -= {at for at in kept if _is_import(statements[at]) and known.issuperset(_defined(statements[at]))}
    kept |= {at for at, statement in enumerate(statements) if at - 1 in kept and _is_text(statement)}
    text = [f"# From {path}."]
    for at in sorted(kept):
        first, last = statements[at].lineno, statements[at].end_lineno
        while lines[first - 2].startswith(("#", "@")):
            first -= 1
        while not lines[first - 2]:
            first -= 1
        text += lines[first - 1 : last]
    return text


def _imports_from_contract(text: str) -> Iterator[ast.ImportFrom]:
    for statement in ast.parse(text).body:
        if isinstance(statement, ast.ImportFrom) and str(statement.module).startswith("contract."):
            yield statement


def _is_import(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Import | ast.ImportFrom)


def _is_text(statement: ast.stmt) -> bool:
    """Return whether a statement is only a text, which says what the constant above it is."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _defined(statement: ast.stmt) -> list[str]:
    """Return the names to which a statement gives a meaning."""
    match statement:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            return [alias.asname or alias.name for alias in aliases]
        case ast.Assign(targets=targets):
            return [node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)]
        case _:
            return []


def _used(statement: ast.stmt) -> set[str]:
    """Return the names to which a statement refers."""
    return {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}


def _stripped(lines: list[str]) -> list[str]:
    """Return lines without the empty ones at the end."""
    return "\n".join(lines).rstrip().splitlines()


def _single_gaps(lines: Iterable[str]) -> Iterator[str]:
    """Leave at most two empty lines in a row, as everywhere in Python."""
    empty = 0
    for line in lines:
        empty = 0 if line else empty + 1
        if empty <= 2:  # noqa: PLR2004 - the style guide's number
            yield line
