"""Dependencies point one way: `groundwork` composes packages that never import each other; all import `contract`."""

import ast
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {"contract", "groundwork", "infra", "localcloud", "workloads"}


def imported(path: Path) -> set[str]:
    """The first names of all modules that a file imports, wherever it does."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("package", ["infra", "localcloud", "workloads"])
def test_a_package_imports_none_of_the_others_but_the_contract(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    wrong = {str(path.relative_to(ROOT)): imported(path) & (PACKAGES - {package, "contract"}) for path in files}
    assert {path: names for path, names in wrong.items() if names} == {}


def test_the_contract_needs_nothing_but_python() -> None:
    files = sorted((ROOT / "contract").rglob("*.py"))
    assert files
    for path in files:
        assert imported(path) <= {*sys.stdlib_module_names, "contract"}, path


def test_functions_need_nothing_but_python_and_boto3() -> None:

    allowed = set(sys.stdlib_module_names) | {"boto3", "botocore"}
    for path in sorted((ROOT / "lambda").glob("*/*.py")):
        assert imported(path) <= allowed, path


def test_no_package_imports_the_tests() -> None:
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            assert "tests" not in imported(path), path


def test_no_modules_import_each_other_in_a_circle() -> None:
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in files}
    TopologicalSorter({name: needed(path, set(modules)) - {name} for name, path in modules.items()}).prepare()


def needed(path: Path, modules: set[str]) -> set[str]:
    """The modules that a file imports from, for types too; of a package, the module that has the name."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (inside & modules) | ({node.module} if inside - modules else set())
    return found & modules
