"""Dependencies point one way: `groundwork` composes packages that never import each other.

All of them import `contract` and `terminal`.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from enum import EnumType
from graphlib import TopologicalSorter
from importlib import metadata
from pathlib import Path
from typing import get_args

import pytest

from contract import metrics, stacks, tags
from contract.workloads import TRAINING, Machine
from localcloud.engines import programs

ROOT = Path(__file__).parents[2]
PACKAGES = {"contract", "infra", "localcloud", "terminal", "workloads", "groundwork"}
#: What each package may import; the command line composes all of them.
BELOW = {"contract": set(), "terminal": {"contract"}} | {
    package: {"contract", "terminal"} for package in ("infra", "localcloud", "workloads")
}

#: Modules that a package of the local cloud's extra brings without declaring them its own.
BROUGHT_BY = {
    "botocore": "boto3",
    "jmespath": "boto3",
    "jpype": "arcadedb-embedded",
    "jsonpath_ng": "moto",
    "werkzeug": "moto",
}

#: Parameters and properties of AWS, and our class, that have the same name as something in the contract.
OTHER_MEANINGS = {
    "AlarmName",
    "AutoScalingGroupName",
    "DatabaseName",
    "FunctionName",
    "LaunchTemplateId",
    "LogGroupName",
    "MetricName",
    "TableName",
    "TerminationAlarm",
    "TopicArn",
}


def imported(path: Path) -> set[str]:
    """The first names of all modules that a file imports, wherever it does."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("package", sorted(BELOW))
def test_a_package_imports_only_what_is_below_it(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    wrong = {str(path.relative_to(ROOT)): imported(path) & (PACKAGES - {package} - BELOW[package]) for path in files}
    assert {path: names for path, names in wrong.items() if names} == {}


def test_only_the_terminal_prints_tables_and_draws_bars() -> None:
    drawing = {
        path.relative_to(ROOT).parts[0]
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if "rich" in imported(path)
    }
    assert drawing == {"terminal"}


def test_only_the_terminal_replaces_files() -> None:
    replacing = re.compile(r"NamedTemporaryFile\(.*delete=False|\b(?:os\.replace|os\.rename)\(|\.with_name\(.*\.part")
    wrong = [
        str(path.relative_to(ROOT))
        for package in PACKAGES - {"terminal"}
        for path in (ROOT / package).rglob("*.py")
        if replacing.search(path.read_text())
    ]
    assert wrong == []


def test_one_module_reads_delimited_text() -> None:
    """Files of people: a run folder is written and read back by one program."""
    readers = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "workloads").rglob("*.py")
        if re.search(r"csv\.(reader|DictReader|Sniffer)\b|\bread_csv\b", path.read_text())
    }
    assert readers == {"workloads/delimited.py", "workloads/training/runtime/run_folder.py"}


@pytest.mark.parametrize(
    ("maker", "module"),
    [
        (r"aws_s3\.Bucket\(", "bucket.py"),
        (r"aws_sqs\.Queue\(", "queue.py"),
        (r"aws_ec2\.Vpc\(", "network.py"),
        (r"aws_ec2\.(SecurityGroup|CfnSecurityGroup(In|E)gress)\(|\.add_(in|e)gress_rule\(", "security_groups.py"),
        (r"CfnJobQueue\(|[\"']aws\.batch[\"']", "jobs.py"),
        (r"aws_logs\.LogGroup\(", "logs.py"),
        (r"SecretStringGenerator\(\s*secret_string_template", "secrets.py"),
        (r"cloudwatch:PutMetricData", "permissions.py"),
    ],
)
def test_what_several_stacks_have_is_made_in_one_place(maker: str, module: str) -> None:
    folders = [ROOT / "infra" / name for name in ("constructs", "data_ecosystem", "training", "web_app")]
    files = [path for folder in folders for path in folder.rglob("*.py")] + sorted((ROOT / "infra").glob("*.py"))
    assert {path.name for path in files if re.search(maker, path.read_text())} == {module}


def test_every_module_of_shared_constructs_is_listed_with_what_it_makes() -> None:
    folder = ROOT / "infra" / "constructs"
    listed = re.findall(r"^(\w+)  +\w", (folder / "__init__.py").read_text(), re.MULTILINE)
    assert listed == sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")


def test_every_shared_construct_shows_how_it_is_used() -> None:
    for path in (ROOT / "infra" / "constructs").glob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_") and makes(node):
                shown = re.search(r"^ {8,}.*[(\[]", ast.get_docstring(node, clean=False) or "", re.MULTILINE)
                assert shown, f"{path.name}: {node.name}"


def makes(node: ast.AST) -> bool:
    """Whether a function or class makes constructs: it is told where they stand."""
    return any(isinstance(part, ast.arg) and part.arg == "scope" for part in ast.walk(node))


def test_the_contract_needs_nothing_but_python() -> None:
    for path in sorted((ROOT / "contract").rglob("*.py")):
        assert imported(path) <= set(sys.stdlib_module_names) | {"contract"}, path


def contract_names() -> set[str]:
    """The values that only the contract may spell out."""
    enumerations = (*vars(stacks).values(), *vars(metrics).values())
    members = [member for kind in enumerations if isinstance(kind, EnumType) for member in kind]
    words = {str(member) for member in members if len(re.findall("[A-Z]", member)) > 1}  # `Engine` is also a word
    jobs = {workload.job_output(machine) for workload in TRAINING.values() for machine in get_args(Machine)}
    return words | jobs | {value for name, value in vars(tags).items() if name.isupper()}


def test_a_name_of_the_contract_is_written_nowhere_else() -> None:
    names = contract_names() - OTHER_MEANINGS
    for package in sorted(PACKAGES - {"contract"}):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    assert node.value not in names, f"{path.relative_to(ROOT)}:{node.lineno} repeats {node.value!r}"


def test_the_local_cloud_names_no_program_that_it_is_a_part_of() -> None:
    naming = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "localcloud").rglob("*")
        if path.is_file() and path.suffix != ".pyc" and "groundwork" in path.read_text().lower()
    ]
    assert naming == []


def test_the_local_cloud_fetches_nothing_and_knows_only_its_own_engines() -> None:
    assert set(programs.PACKAGES) == {"influxd", "mariadbd", "apache2"}
    fetching = re.compile(r"apt-get|dpkg|chromium|shellcheck|\bwrk\b")
    wrong = [path for path in (ROOT / "localcloud").rglob("*.py") if fetching.search(path.read_text())]
    assert wrong == []


def test_the_local_cloud_imports_what_its_extra_declares() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extra = project["optional-dependencies"]["localcloud"]
    assert set(extra) <= set(project["dependencies"])
    declared = {re.match(r"[\w.-]+", requirement)[0].replace("_", "-") for requirement in extra}  # type: ignore[index]
    files = [path for package in ("localcloud", "terminal", "contract") for path in (ROOT / package).rglob("*.py")]
    modules = {name for path in files for name in imported(path)} - set(sys.stdlib_module_names) - PACKAGES
    brought = metadata.packages_distributions()
    wrong = {
        module: brought.get(module)
        for module in modules - BROUGHT_BY.keys()
        if not {name.lower().replace("_", "-") for name in brought.get(module, [])} & declared
    }
    assert wrong == {}
    assert set(BROUGHT_BY.values()) <= declared


def test_the_local_clouds_server_reads_no_setting_from_its_environment() -> None:
    """Those at the boundary of a process may: what a process is started with, and what its children inherit."""
    reading = re.compile(r"environ(?:\.get\(|\[)[\"'](MOTO_\w+|LOCALCLOUD_FOLDER)\b(?!\"\] = )")
    assert [path for path in (ROOT / "localcloud").rglob("*.py") if reading.search(path.read_text())] == []


def test_the_runtime_of_the_training_imports_no_model() -> None:
    for path in sorted((ROOT / "workloads" / "training" / "runtime").rglob("*.py")):
        assert "workloads.training.models" not in path.read_text(), path


def test_functions_need_nothing_but_python_boto3_and_the_contract() -> None:
    allowed = set(sys.stdlib_module_names) | {"boto3", "botocore", "contract"}
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


def test_the_command_line_starts_without_what_takes_long_to_import() -> None:
    heavy = {"aws_cdk", "boto3", "duckdb", "matplotlib", "moto", "pandas", "sklearn", "torch"}
    code = "import sys, groundwork.__main__; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert heavy & {*run.stdout.split()} <= {"boto3"}
