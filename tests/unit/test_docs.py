"""The documentation says what is so: its commands, links, paths and names exist, and every stack's page is whole."""

from __future__ import annotations

import ast
import itertools
import json
import os
import re
import shlex
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import typer
import yaml
from botocore import xform_name

from groundwork import reference
from groundwork.__main__ import app
from groundwork.engines import PACKAGES
from infra import stacks
from infra.config import Config
from tests.documented import COMPANY, PAGES, ROOT, TUTORIALS, commands, record

FOLDERS = (
    "benchmarks",
    "cloudformation",
    "contract",
    "docs",
    "groundwork",
    "infra",
    "lambda",
    "localcloud",
    "terminal",
    "tests",
    "workloads",
)
FILES = {str(path.relative_to(ROOT)) for folder in FOLDERS for path in (ROOT / folder).rglob("*")}
FILES |= {path.name for path in ROOT.iterdir()}
STACKS = {stack.__name__: stack.SECTION for stack in stacks.STACKS}
OTHERS = {"training.yaml", "training.gif"}  # files that look like settings
SECTIONS = ["Deploy", "Settings", "Alarms", "Outputs", "Cost", "Removal"]
PLACEHOLDERS = {
    "WORKLOAD": "digit-classifier",
    "my-workload": "digit-classifier",
    "DATASET": "mnist",
    "N": "3",
    "...": "",
}
AWS_OF_THE_SHELL = {
    "s3 mb",
    "cloudformation package",
    "s3 cp",
    "s3 rm",
    "s3 sync",
    "logs tail",
    "cloudformation deploy",
    "configure",
}  # these are in no service's model

COMMAND: Any = typer.main.get_command(app)

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
every_stack = pytest.mark.parametrize("stack", STACKS)


def blocks(page: Path, language: str = "sh") -> list[str]:
    """The code blocks of a page in one language."""
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", page.read_text(), re.DOTALL | re.MULTILINE)


def lines(page: Path) -> list[str]:
    """The lines of a page's blocks that a shell takes; one that goes on is one, and a here-document is left out."""
    texts = (
        re.sub(r"^python - <<'END'\n.*?^END$", "", block, flags=re.DOTALL | re.MULTILINE) for block in blocks(page)
    )
    return [line for text in texts for line in text.replace("\\\n", " ").splitlines()]


def quoted(page: Path) -> list[str]:
    """What a page has between backticks, outside of blocks."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL))


def calls(texts: list[str], program: str) -> Iterator[list[str]]:
    """The calls of a program in lines of a shell, in words."""
    for text in texts:
        for part in re.split(r"&&|;|\||\$\((?=groundwork)", text.partition(" #")[0]):
            words = shlex.split(part.replace(')"', "").replace('eval "', "").replace("'", " "))
            while words and (re.match(r"[A-Z_]+=", words[0]) or words[0] in {"npx", "sudo"}):
                words.pop(0)
            if words and words[0] == program:
                yield [word for each in words[1:] if (word := PLACEHOLDERS.get(each, each).strip("[]"))]


def command(words: list[str]) -> tuple[Any, list[str]]:
    """The command of ours that words name, and what is left of them."""
    found = COMMAND
    while getattr(found, "commands", None) and words and not words[0].startswith("-"):
        with found.make_context("groundwork", [], resilient_parsing=True) as context:
            _, found, words = found.resolve_command(context, words)
    return found, words


@cache
def template(stack: str) -> dict[str, Any]:
    """The template of a stack for the console."""

    class Loader(yaml.CSafeLoader):
        """Reads intrinsic functions as their text."""

    Loader.add_multi_constructor("!", lambda _, suffix, __: suffix)
    found: dict[str, Any] = yaml.load((ROOT / "cloudformation" / f"{slug(stack)}.yaml").read_text(), Loader)  # noqa: S506
    return found


@cache
def source() -> str:
    """All code of ours but the tests."""
    return "".join((ROOT / file).read_text() for file in FILES if re.fullmatch(r"(?!tests/).*\.py", file))


def slug(stack: str) -> str:
    """The name of a stack's page and template."""
    return STACKS[stack].replace("_", "-")


def page_of(stack: str) -> Path:
    return ROOT / "docs" / "stacks" / f"{slug(stack)}.md"


def section(page: Path, name: str) -> str:
    """What stands under a heading."""
    found = re.search(rf"^## {name}\n(.*?)(?=^## |\Z)", page.read_text(), re.DOTALL | re.MULTILINE)
    return found[1] if found else ""


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@every_page
def test_every_link_leads_somewhere(page: Path) -> None:
    for target, _, anchor in re.findall(r"\]\((?!https?:|mailto:)([^)#]*)(#?)([^)]*)\)", page.read_text()):
        file = page.parent / target if target else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), f"{target}#{anchor}"


def test_the_reference_of_commands_is_what_they_take() -> None:
    assert (ROOT / "docs" / "commands.md").read_text() == reference.page()


def test_the_commands_that_print_csv_are_named() -> None:
    names = re.findall(r"^## (.+)$", (ROOT / "docs" / "commands.md").read_text(), re.MULTILINE)
    taking = [name for name in names if "as_csv" in {option.name for option in command(name.split())[0].params}]
    page = (ROOT / "docs" / "command-line.md").read_text()
    named = re.search(r"Commands that list something \((.*?)\) also\stake `--csv`", page, re.DOTALL)
    assert named
    assert re.findall(r"`(.*?)`", named[1].replace("\n", " ")) == sorted(taking)


def test_the_diagram_of_packages_is_what_they_import() -> None:
    packages = {"contract", "groundwork", "infra", "localcloud", "terminal", "workloads"}
    imported = {
        (package, other)
        for package in packages
        for file in FILES
        if file.startswith(f"{package}/") and file.endswith(".py")
        for other in re.findall(r"^ *(?:from|import) (\w+)", (ROOT / file).read_text(), re.MULTILINE)
        if other in packages - {package}
    }
    drawn = re.findall(
        r"^ *(\w+) --> ([\w &]+)$", blocks(ROOT / "docs" / "architecture.md", "mermaid")[0], re.MULTILINE
    )
    assert {(one, other) for one, others in drawn for other in others.split(" & ") if one in packages} == imported


@every_page
def test_every_path_exists(page: Path) -> None:
    for text in [*quoted(page), *blocks(page, "mermaid")]:
        for path in re.findall(r"(?<![\w/.<>*-])(?:[\w.*-]+/)*[\w*-]+\.(?:py|yaml|cypher|sh|conf)(?![\w/<])", text):
            pattern = re.escape(path).replace(r"\*", "[^/]*")
            assert re.search("/my[-_]", path) or re.search(rf"^(.*/)?{pattern}$", "\n".join(FILES), re.MULTILINE), path
        if re.match(rf"({'|'.join(FOLDERS)})/[\w/-]*$", text):
            assert "/my_" in text or text.rstrip("/") in {*FOLDERS, *FILES}, text


def test_the_pages_have_commands_to_check() -> None:
    for program in ("groundwork", "cdk", "aws", "make", "python"):
        assert len([words for page in PAGES for words in calls([*lines(page), *quoted(page)], program)]) > 5, program


@every_page
def test_every_command_in_a_block_can_be_parsed(page: Path) -> None:
    for words in calls(lines(page), "groundwork"):
        found, rest = command(words)
        found.make_context("groundwork", rest)
        if "--" in rest:
            inner, options = command(["train", words[1], "--data", "any", *rest[rest.index("--") + 1 :]])
            inner.make_context("train", options)
    for words in calls(lines(page), "python"):
        if words[:2] == ["-m", "workloads"]:
            found, rest = command(words[2:])
            found.make_context("workloads", rest)


def test_every_command_in_a_block_is_executed_by_a_test_or_has_a_reason() -> None:
    known = record()
    pages = {ROOT / page for session in known.sessions.values() for page in session.pages}
    pages |= {COMPANY, *(page for page in PAGES if TUTORIALS in page.parents)}
    executed = {command for page in pages for command in commands(page)}
    shown = {command for page in PAGES for command in commands(page)}
    assert [command for command in sorted(shown - executed) if not known.leaves_out(command)] == []
    unused = [pattern for pattern in known.patterns if not any(fnmatchcase(command, pattern) for command in shown)]
    assert unused == []
    given = {command for session in known.sessions.values() for command in session.options}
    assert given <= executed
    assert [test for test in known.tests if not (ROOT / test).exists()] == []


@every_page
def test_every_command_in_a_sentence_exists(page: Path) -> None:
    for words in calls(quoted(page), "groundwork"):
        found, rest = command(words)
        options = {name for option in found.params for name in (*option.opts, *option.secondary_opts)}
        options |= {"--help", "--"}
        assert {word for word in rest if word.startswith("-")} <= options, words


@every_page
def test_every_target_of_make_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    levels = {path.name for path in (ROOT / "tests").iterdir()}
    for words in calls([*lines(page), *quoted(page)], "make"):
        for word in words:
            assert word.removeprefix("LEVEL=") in levels if "=" in word else word in targets, word


@every_page
def test_every_module_and_benchmark_exists_and_takes_the_words_it_is_given(page: Path) -> None:
    rows = re.findall(r"\| (\w+\.py[^|]*) \|$", page.read_text(), re.MULTILINE)
    for words in calls([*lines(page), *quoted(page), *(f"python benchmarks/{row}" for row in rows)], "python"):
        if words[0] == "-m":
            assert {f"{words[1].replace('.', '/')}.py", f"{words[1].replace('.', '/')}/__main__.py"} & FILES, words
        elif words[0] != "benchmarks/…":
            assert_takes(words)


def test_every_benchmark_takes_the_words_that_make_gives_it() -> None:
    for words in calls(
        re.findall(r"^\t(python benchmarks.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE), "python"
    ):
        assert_takes(words)


def assert_takes(words: list[str]) -> None:
    script = ast.parse((ROOT / words[0]).read_text())
    known = {str(node.value) for node in ast.walk(script) if isinstance(node, ast.Constant)} | {"best"}
    assert {word for word in words[1:] if re.match(r"--|[a-z]", word)} <= known, words


@every_page
def test_every_stack_and_setting_that_the_cdk_is_given_exists(page: Path) -> None:
    for words in calls([*lines(page), *quoted(page)], "cdk"):
        given = [word for before, word in itertools.pairwise(words) if before == "-c"]
        Config.from_context(dict(pair.split("=") for pair in given))
        named = {word for word in words[1:] if re.fullmatch(r"[A-Z][A-Za-z]+", word)}
        assert named <= {*STACKS, "Budget", "STACK"}, words


@every_page
def test_every_setting_exists(page: Path) -> None:
    for text in quoted(page):
        for part, name in re.findall(r"^(\w+)\.([a-z_]+)$", text):
            if part in STACKS.values() and f"{part}.{name}" not in OTHERS:
                assert name in type(getattr(Config(), part)).model_fields, text


@every_page
def test_every_call_of_aws_has_operations_and_options_that_exist(page: Path) -> None:
    session = botocore.session.Session()
    for words in calls([*lines(page), *quoted(page)], "aws"):
        if " ".join(words[:2]) in {"", *AWS_OF_THE_SHELL}:
            continue
        model = session.get_service_model(words[0])
        operations = {xform_name(name, "-"): name for name in model.operation_names}
        assert words[1] in {*operations, "wait"}, words
        members = model.operation_model(operations[words[1]]).input_shape.members
        known = {f"--{prefix}{xform_name(name, '-')}" for name in members for prefix in ("", "no-")}
        known |= {"--query", "--output", "--cli-binary-format"}
        assert {word for word in words if word.startswith("--")} <= known, words


@every_page
def test_every_import_finds_what_it_names(page: Path) -> None:
    for block in blocks(page, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] in FOLDERS:
                path = str(node.module).replace(".", "/")
                file = ROOT / (f"{path}.py" if f"{path}.py" in FILES else f"{path}/__init__.py")
                for alias in node.names:
                    assert re.search(rf"^(def|class) {alias.name}\b|\b{alias.name}\b", file.read_text(), re.MULTILINE)


@every_page
def test_every_variable_of_ours_is_read_somewhere(page: Path) -> None:
    for name in re.findall(r"\b(?:GROUNDWORK|LOCALCLOUD|MOVIE_RENTAL|STOREFRONT)_[A-Z_]+\b", page.read_text()):
        assert name in source() or name.removeprefix("STOREFRONT_").lower() in source(), name  # a field of its Settings


@every_stack
def test_the_page_of_a_stack_is_whole(stack: str) -> None:
    headings = re.findall(r"^## (.+)$", page_of(stack).read_text(), re.MULTILINE)
    assert [heading for heading in headings if heading in SECTIONS] == SECTIONS
    assert {"How it works", "How it is asked"} & set(headings)


@every_stack
def test_the_page_of_a_stack_names_what_its_template_has(stack: str) -> None:
    page = page_of(stack)
    settings = section(page, "Settings")
    parameters = {re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower() for name in template(stack).get("Parameters", {})}
    listed = set(re.findall(rf"^\| `{STACKS[stack]}\.(\w+)` \|", settings, re.MULTILINE))
    assert parameters <= listed
    assert set(re.findall(r"`(\w+)`", settings.partition("<!--")[0])) - {"context"} == listed - parameters
    alarms = {
        name for name, resource in template(stack)["Resources"].items() if "Alarm" in resource["Type"].split("::")[-1]
    }
    assert set(re.findall(r"^\| `(\w+)` \|", section(page, "Alarms"), re.MULTILINE)) == alarms
    assert set(template(stack)["Outputs"]) <= set(re.findall(r"`(\w+)`", section(page, "Outputs")))


@pytest.mark.parametrize("stack", ["DataEcosystem", "WebApp"])
def test_the_diagram_of_a_stack_shows_what_its_template_has(stack: str) -> None:
    drawn = "".join(blocks(page_of(stack), "mermaid"))
    resources = template(stack)["Resources"]
    functions = {path.name for path in (ROOT / "lambda").iterdir()}
    assert set(re.findall(r"\b[a-z]+_[a-z]+\b", drawn)) <= functions
    assert set(re.findall(r"DynamoDB: (\w+)", drawn)) <= set(resources)
    versions = [str(resource.get("Properties", {}).get("EngineVersion")) for resource in resources.values()]
    shown = re.findall(r"(?:MySQL|PostgreSQL) ([\d.]+)", drawn)
    assert shown
    assert all(any(version.startswith(each) for version in versions) for each in shown)


@every_stack
def test_the_page_of_a_stack_says_what_it_costs_idle(stack: str) -> None:
    idle = dict(
        re.findall(r"^\| \[(\w+)\]\(#\w+\) \| ([\d.]+) \|", (ROOT / "docs" / "costs.md").read_text(), re.MULTILINE)
    )
    whole = f"{float(idle[stack]):.0f}"
    assert f"about {whole} USD a month" in section(page_of(stack), "Cost")
    assert re.search(rf"^\| \[`{stack}`\].*\| {whole} \|$", (ROOT / "README.md").read_text(), re.MULTILINE)


def test_every_folder_is_in_the_readme() -> None:
    table = (ROOT / "README.md").read_text()
    assert [folder for folder in FOLDERS if f"`{folder}/`" not in table] == []


def test_every_dependency_has_its_line() -> None:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"].values()
    direct = [line for group in groups for line in group if isinstance(line, str)]
    names = {re.match(r"[\w.-]+", each)[0].lower() for each in direct}  # type: ignore[index]
    others = "".join((ROOT / f"requirements-{name}.txt").read_text() for name in ("checks", "docs"))
    rows = re.findall(
        r"^\| (?!package|program|group|---|`)([^|]+) \|", (ROOT / "docs" / "dependencies.md").read_text(), re.MULTILINE
    )
    told = {name.lower() for row in rows for name in row.split(", ")}
    assert names <= told
    package = json.loads((ROOT / "package.json").read_text())
    of_node = {f"{name} (npm)" for name in package["dependencies"] | package["devDependencies"]}
    assert of_node <= told
    rest = told - names - of_node - set(PACKAGES)
    assert all(re.search(rf"^{name}==", others, re.MULTILINE) for name in rest), rest


def test_every_page_is_in_the_menu_of_the_site() -> None:
    menu = (ROOT / "docs" / "README.md").read_text()
    for page in PAGES:
        parent = page.parent.with_suffix(".md")  # the page of the same name as the folder leads to the pages in it
        path = os.path.relpath(page, ROOT / "docs")
        name = f"{page.parent.name}/{page.name}"
        assert f"({path})" in menu or (parent.exists() and f"({name})" in parent.read_text()) or path == "README.md", (
            path
        )


def test_every_page_is_linked_and_a_decision_is_no_longer_than_a_page() -> None:
    linked = {
        (page.parent / target).resolve()
        for page in PAGES
        for target in re.findall(r"\]\((?!https?:|mailto:)([^)#]+)", page.read_text())
    }
    for page in ROOT.glob("docs/**/*.md"):
        assert page in linked, page
        assert page.parent.name != "decisions" or len(page.read_text().split()) < 800, page


@cache
def _tests() -> frozenset[str]:
    """Return the names of all test functions and classes, and of the files that hold them."""
    sources = {path: path.read_text() for path in (ROOT / "tests").rglob("test_*.py")}
    names = {name for source in sources.values() for name in re.findall(r"(?:def|class) ([Tt]est\w+)", source)}
    return frozenset(names | {path.name for path in sources})


@every_page
def test_every_test_that_a_page_names_exists(page: Path) -> None:
    if page.name == "style.md":  # its tests are examples of names
        return
    assert set(re.findall(r"`((?:test_|Test)\w+(?:\.py)?)`", page.read_text())) - _tests() == set()


def test_every_promise_names_the_test_that_keeps_it() -> None:
    tables = [
        table
        for page in sorted((ROOT / "docs" / "workloads").glob("*.md"))
        for table in re.findall(r"^\| flow \|.*\n\|[-|]+\n((?:\|.*\n)+)", page.read_text(), re.MULTILINE)
    ]
    promises = [row for table in tables for row in table.splitlines()]
    assert len(promises) >= 14
    assert [row for row in promises if not re.search(r"`test_\w+(?:\.py)?` \|$", row)] == []
