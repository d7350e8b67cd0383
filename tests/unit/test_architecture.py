"""Dependencies point one way: the command line composes, and the packages below it never import each other."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {"infra", "localcloud", "workloads", "groundwork"}


def imported(path: Path) -> set[str]:
    """The first names of all modules that a file imports, wherever it does."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("package", sorted(PACKAGES - {"groundwork"}))
def test_a_package_imports_none_of_the_others(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    wrong = {str(path.relative_to(ROOT)): imported(path) & (PACKAGES - {package}) for path in files}
    assert {path: names for path, names in wrong.items() if names} == {}


def test_functions_need_nothing_but_python_and_boto3() -> None:

    allowed = set(sys.stdlib_module_names) | {"boto3", "botocore"}
    for path in sorted((ROOT / "lambda").glob("*/*.py")):
        assert imported(path) <= allowed, path


def test_no_package_imports_the_tests() -> None:
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            assert "tests" not in imported(path), path
