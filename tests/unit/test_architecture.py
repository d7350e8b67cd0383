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
from functools import cache
from graphlib import TopologicalSorter
from importlib import metadata
from pathlib import Path

import pytest

from contract import metrics, stacks, tags
from contract.workloads import DATA_SETS, MACHINES, TRAINING
from localcloud.engines import programs

ROOT = Path(__file__).parents[2]
PACKAGES = {"contract", "infra", "localcloud", "terminal", "workloads", "groundwork"}
#: What each package may import; the command line composes all of them.
BELOW = {"contract": set(), "terminal": {"contract"}} | {
    package: {"contract", "terminal"} for package in ("infra", "localcloud", "workloads")
}

#: Modules of packages that no group names, because another package brings them.
BROUGHT_BY = {
    "botocore": "boto3",
    "cryptography": "moto",
    "cycler": "matplotlib",
    "itsdangerous": "flask",
    "jmespath": "boto3",
    "jpype": "arcadedb-embedded",
    "jsii": "aws-cdk-lib",
    "jsonpath_ng": "moto",
    "markdown_it": "rich",
    "py_partiql_parser": "moto",
    "pydantic_core": "pydantic",
    "sqlalchemy": "optuna",
    "werkzeug": "flask",
}

#: Parameters and properties of AWS, and our class, that have the same name as something in the contract.
OTHER_MEANINGS = {
    "AlarmName",
    "AutoScalingGroupName",
    "DashboardName",
    "DatabaseName",
    "FunctionName",
    "LaunchTemplateId",
    "LogGroupName",
    "MetricName",
    "MetricNamespace",
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
    """Files of people: a run folder, and the quarantines of a ledger, are written and read back by one program."""
    readers = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "workloads").rglob("*.py")
        if re.search(r"csv\.(reader|DictReader|Sniffer)\b|\bread_csv\b", path.read_text())
    }
    own = {"workloads/devops_metrics/ledger.py", "workloads/training/runtime/run_folder.py"}
    assert readers == {"workloads/delimited.py", *own}


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
    jobs = {workload.job_output(machine) for workload in TRAINING.values() for machine in MACHINES}
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


def members(group: str) -> set[str]:
    """The packages that a dependency group of pyproject.toml names, with those of the groups that it includes."""
    lines = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"][group]
    included = [members(line["include-group"]) for line in lines if isinstance(line, dict)]
    named = {re.split(r"[^\w.-]", line)[0].lower().replace("_", "-") for line in lines if isinstance(line, str)}
    return named.union(*included)


MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
}


@cache
def imports(path: Path, *, late: bool) -> set[str]:
    """The modules that a file imports when it runs, with those that its functions import only if `late`."""
    names, nodes = set(), [*ast.parse(path.read_text()).body]
    while nodes:
        match nodes.pop():
            case ast.Import(names=aliases):
                names |= {alias.name for alias in aliases}
            case ast.ImportFrom(module=str(module), names=aliases, level=0):
                names |= {module} | ({f"{module}.{alias.name}" for alias in aliases} & MODULES.keys())
            case ast.If(test=ast.Name(id="TYPE_CHECKING"), orelse=others):
                nodes += others
            case ast.FunctionDef() | ast.AsyncFunctionDef() if not late:
                pass
            case node:
                nodes += ast.iter_child_nodes(node)
    return names


def reached(entries: str, *, late: bool = True) -> dict[str, str]:
    """The other people's modules that modules of ours import, or a module that these import: each with an importer."""
    others = {}
    seen, new = set(), {name for name in MODULES if re.fullmatch(entries, name)}
    assert new, entries
    while new:
        seen |= new
        names = {name: module for module in new for name in imports(MODULES[module], late=late)}
        packages = {module.rpartition(".")[0] for module in new} - {""}
        new = ({name for name in names if name in MODULES} | packages) & MODULES.keys() - seen
        others |= {name.partition(".")[0]: module for name, module in names.items()}
    return {name: module for name, module in others.items() if name not in PACKAGES | sys.stdlib_module_names}


def lacking(group: str, modules: dict[str, str]) -> dict[str, str]:
    """Those of other people's modules that no package of a group brings, each with a module that imports it."""
    declared, brought = members(group), metadata.packages_distributions()
    return {
        name: importer
        for name, importer in modules.items()
        if BROUGHT_BY.get(name, "") not in declared
        and not {package.lower().replace("_", "-") for package in brought.get(name, [])} & declared
    }


#: What of our modules runs where only a group of pyproject.toml is installed.
PARTS = {
    "infra": r"infra(\..+)?|groundwork\.(deploy|preflight)(\..+)?",
    "localcloud": r"localcloud(\..+)?",
    "training": r"workloads\.training(?!\.runtime\.onnx)(\..+)?",
    "onnx": r"workloads\.training(\..+)?",
    "movie-rental": r"workloads\.(movie_rental|rental_company)(\..+)?",
    "devops-metrics": r"workloads\.devops_metrics(\..+)?",
    "storefront": r"workloads\.(storefront|rental_company)(\..+)?",
}


@pytest.mark.parametrize(("group", "entries"), PARTS.items())
def test_the_group_of_a_part_brings_what_it_imports(group: str, entries: str) -> None:
    assert lacking(group, reached(entries)) == {}


def test_the_command_line_starts_with_any_part() -> None:
    """The commands of all workloads are in one list; what only one of them needs, its functions import."""
    starting = reached(r"groundwork\.__main__|workloads\.(__main__|commands|data)", late=False)
    assert lacking("command-line", starting) == {}


def test_all_parts_are_what_the_demonstration_needs() -> None:
    assert lacking("all", reached(r"groundwork\.demo(\..+)?|localcloud(\..+)?")) == {}
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    included = {line["include-group"] for line in groups["all"] if isinstance(line, dict)}
    assert included == PARTS.keys() - {"onnx"}  # which is only for `export`


def test_no_package_stands_in_two_groups() -> None:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"].values()
    lines = [re.split(r"[^\w.-]", line)[0] for group in groups for line in group if isinstance(line, str)]
    assert sorted(lines) == sorted(set(lines))


#: Why a module of the local cloud may use the environment of its process. Everything else gets a `Cloud`.
ENVIRONMENT = {
    "cloud/account.py": "takes the settings for AWS out of it",
    "cloud/fork_server.py": "replaces it by that of a program; it is a program of its own",
    "cloud/leash.py": "passes it on to the command; it is a program of its own",
    "cloud/local_cloud.py": "passes it on to the server",
    "cloud/processes.py": "passes on to which cloud a process belongs",
    "cloud/server.py": "sets what moto and the processes that it starts read",
    "cloud/settings.py": "reads the settings of a cloud, once, when it starts",
    "commands.py": "lists the variables that a shell has to unset",
    "engines/front.py": "passes it on to an engine",
    "engines/influxdb/__main__.py": "passes it on to influxd; it is a program of its own",
    "engines/neptune_server.py": "sets what Java reads; it is a program of its own",
    "engines/postgresql.py": "passes it on to PostgreSQL",
    "engines/programs.py": "passes it on to an engine, with where its libraries are",
    "host.py": "passes on to the server of which program it is a part",
    "services/awslambda/behaviour.py": "passes PATH on to functions",
    "services/awslambda/runtime.py": "has the settings of its function there; it is a program of its own",
    "services/batch/containers.py": "passes PATH and a few more on to jobs",
    "services/ec2/instance_programs.py": "passes it on to the commands of an instance; it is a program of its own",
    "services/ec2/one_off.py": "passes PATH and a few more on to instances",
    "services/timestreaminfluxdb/behaviour.py": "passes it on to influxd",
}
#: Why something that changes belongs to a module of the local cloud, and not to a `Cloud`: its process has one of it.
STATE_OF_A_PROCESS = {
    ("cloud/account.py", "_lock"): "boto3's sessions are shared by the clouds that a process uses",
    ("cloud/certificates.py", "_lock"): "authorities are files, which several clouds of a process may make",
    ("cloud/outside.py", "_marks"): "the process's open files, closed when it ends",
    ("cloud/processes.py", "_running"): "the process's children",
    ("cloud/processes.py", "_lock"): "guards the process's children",
    ("cloud/processes.py", "_ending"): "the process is ending",
    ("console/charts.py", "_drawing"): "matplotlib's settings belong to the process",
    ("hooks.py", "_installed"): "moto's classes, which hooks change, belong to the process",
    ("host.py", "_current"): "the program that runs in the process",
}
CHANGING = {"dict", "list", "set", "defaultdict", "deque", "WeakKeyDictionary", "Event", "Lock", "RLock", "Condition"}


def test_the_local_cloud_reads_settings_from_its_environment_in_one_place() -> None:
    folder = ROOT / "localcloud"
    using = re.compile(r"\bos\.(environ|getenv)\b|from os import .*environ")
    users = {str(path.relative_to(folder)) for path in folder.rglob("*.py") if using.search(path.read_text())}
    assert users == ENVIRONMENT.keys()


def test_what_changes_in_the_local_cloud_belongs_to_a_cloud() -> None:
    folder = ROOT / "localcloud"
    changing = set()
    for path in folder.rglob("*.py"):
        module = ast.parse(path.read_text())
        assert not [node for node in ast.walk(module) if isinstance(node, ast.Global)], path
        for node in module.body:
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    pass
                case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                    pass
                case _:
                    continue
            if _may_change(name, value):
                changing.add((str(path.relative_to(folder)), name))
    assert changing == STATE_OF_A_PROCESS.keys()


def _may_change(name: str, value: ast.expr) -> bool:
    """Whether a module's variable is something that changes: constants have names in capitals."""
    match value:
        case ast.Call(func=ast.Name(id=kind) | ast.Attribute(attr=kind)):
            return kind in CHANGING
        case ast.Dict(keys=[]) | ast.List(elts=[]):
            return True
        case ast.Dict() | ast.List() | ast.Set() | ast.DictComp() | ast.ListComp():
            return not name.lstrip("_").isupper() and name != "__all__"
    return False


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
    code = "import sys, groundwork.__main__ as line; sys.argv[1:] = ['--help']; line.main(); print('\\n', *sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    imported = run.stdout.splitlines()[-1].split()
    heavy = {"boto3", "botocore", "cryptography", "infra", "psutil", "pydantic", "trustme", "urllib3", "yaml"}
    heavy |= {"aws_cdk", "duckdb", "matplotlib", "moto", "numpy", "pandas", "sklearn", "torch"}
    assert "typer" in imported
    assert heavy & {*imported} == set()
    ours = {module for module in imported if module.partition(".")[0] in PACKAGES and module.count(".") > 1}
    assert ours <= {"localcloud.engines.programs"}


def test_the_command_line_starts_a_command_without_what_only_others_import() -> None:
    code = "import sys, groundwork.__main__ as line; line.imported('{}'); print(*sys.modules)"
    for name, others in {
        "demo": {"boto3", "pydantic", "torch"},
        "local": {"aws_cdk", "infra", "torch", "workloads.commands"},
        "cost": {"boto3", "localcloud.commands", "workloads.commands"},
        "jobs": {"infra", "localcloud.commands", "pandas", "torch"},
    }.items():
        run = subprocess.run(
            [sys.executable, "-c", code.format(name)], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert others & {*run.stdout.split()} == set()


def test_samples_of_data_are_written_without_pytorch() -> None:
    for data_set in DATA_SETS.values():
        module = data_set.sample.partition(":")[0]
        assert "torch" not in reached(re.escape(module), late=False), module
