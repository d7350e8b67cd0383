"""The errors of all packages: one tree with an exit code on each class, and messages of one style."""

from __future__ import annotations

import ast
import importlib
import pickle
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import contract.errors
from contract.errors import GroundworkError, InputError, TemporaryError, UnavailableError, phrase, report
from contract.services import is_untrusted, passes, refused, unreachable

ROOT = Path(__file__).parents[2]
#: Modules that define errors; a test below sees that there are no others.
MODULES = ("groundwork.demo.checklist", "groundwork.deploy.change_set", "infra.config", "infra.cost.estimate")
MODULES += ("infra.distribution", "infra.removal", "localcloud.errors", "workloads.account.reader", "workloads.errors")
SOURCES = [
    path
    for package in ("contract", "groundwork", "infra", "terminal", "workloads")
    for path in (ROOT / package).rglob("*.py")
]


def classes(
    root: type[GroundworkError] = GroundworkError, depth: int = 0
) -> Iterator[tuple[int, type[GroundworkError]]]:
    yield depth, root
    for below in root.__subclasses__():
        yield from classes(below, depth + 1)


@pytest.fixture(scope="module")
def tree() -> list[tuple[int, type[GroundworkError]]]:
    for name in MODULES:
        importlib.import_module(name)
    return [(depth, kind) for depth, kind in classes() if not kind.__module__.startswith("tests")]


def test_the_drawing_is_the_tree(tree: list[tuple[int, type[GroundworkError]]]) -> None:
    drawn = re.findall(r"^    ([│├└─ ]*)(\w+) +(\d+)  ", contract.errors.__doc__ or "", re.MULTILINE)
    assert {(len(indent) // 4, name, int(code)) for indent, name, code in drawn} == {
        (depth, kind.__name__, kind.exit_code) for depth, kind in tree
    }
    assert len(drawn) == len(tree)


def test_every_error_of_the_packages_is_in_the_tree() -> None:
    """Errors that are answers within a program, and never end a command, are in the second set."""
    within = {
        "Failed", "FormatError", "NeptuneError", "NotNowError", "PageError", "QueryError", "ReadError", "Refused",
        "RefusedError", "Stopped", "Unknown", "ValueFault", "_Busy",
    }  # fmt: skip
    defined = {
        node.name
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef) and {ast.unparse(base) for base in node.bases} & {"Exception", "ValueError"}
    }
    assert defined - within == {"GroundworkError"}


def test_an_exit_code_of_the_contract_stands_nowhere_else() -> None:
    """A number that is an exit code by its name, and 75 by whatever name but that of a limit."""
    given = {
        str(path.relative_to(ROOT))
        for path in SOURCES
        for name, value in constants(ast.parse(path.read_text()))
        if "exit_code" in name or (value in (75, "75") and name != "ge")
    }
    assert given == {"contract/errors.py"}


def constants(module: ast.Module) -> Iterator[tuple[str, object]]:
    """The constants of a module, with the name of what they are given to, if it has one."""
    for node in ast.walk(module):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            yield ast.unparse(node.targets[0]), node.value.value
        elif isinstance(node, ast.keyword) and isinstance(node.value, ast.Constant):
            yield node.arg or "", node.value.value
        elif isinstance(node, ast.List | ast.Tuple | ast.Set | ast.Compare | ast.Return):
            yield from (("", part.value) for part in ast.iter_child_nodes(node) if isinstance(part, ast.Constant))


def test_no_module_translates_errors_of_aws_but_the_boundaries() -> None:
    catching = {
        str(path.relative_to(ROOT))
        for path in SOURCES
        if re.search(r"except [^\n]*\bBotoCoreError\b", path.read_text())
    }
    assert catching == {"infra/removal.py", "workloads/aws.py"}


def test_no_command_line_tells_errors_apart() -> None:
    reporting = {
        str(path.relative_to(ROOT)) for path in [*SOURCES, ROOT / "app.py"] if "report(error)" in path.read_text()
    }
    assert reporting == {
        "app.py",
        "contract/errors.py",
        "groundwork/__main__.py",
        "workloads/__main__.py",
        "workloads/storefront/__main__.py",
    }
    for name in reporting - {"contract/errors.py"}:
        assert re.findall(r"except (.*) as error:\n +(?:return |sys.exit\()report", (ROOT / name).read_text()) == [
            "GroundworkError"
        ]


class TestReport:
    def test_it_is_one_line_and_the_exit_code(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert report(InputError("prices.csv: The file is empty.")) == 2
        assert capsys.readouterr() == ("", "Error: prices.csv: The file is empty.\n")

    @pytest.mark.parametrize(
        ("message", "shown"),
        [
            ("There is no jbs. Did you mean 'jobs'?. See --help.", "There is no jbs. Did you mean 'jobs'? See --help."),
            ("The database says: Stop!.", "The database says: Stop!"),
            ("The database says: no..", "The database says: no."),
            ("Use the folder .. or ../a.. It waits ...", "Use the folder .. or ../a. It waits ..."),
        ],
    )
    def test_a_sentence_ends_once(self, capsys: pytest.CaptureFixture[str], message: str, shown: str) -> None:
        report(InputError(message))
        assert capsys.readouterr().err == f"Error: {shown}\n"

    def test_what_passes_comes_with_advice(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert report(UnavailableError("S3 cannot be reached.")) == 75
        assert capsys.readouterr().err == "Error: S3 cannot be reached. Run the same command again later.\n"

    def test_the_advice_of_a_command_takes_the_place_of_the_usual_one(self, capsys: pytest.CaptureFixture[str]) -> None:
        error = TemporaryError("The job is not followed any more.")
        error.advice = "The job runs on."
        report(pickle.loads(pickle.dumps(error)))  # noqa: S301 - as it comes from a worker process
        assert capsys.readouterr().err == "Error: The job is not followed any more. The job runs on.\n"

    @pytest.mark.parametrize(
        ("name", "shown"),
        [
            ("a\x1b[2Jb", "a\\u001b[2Jb"),  # erases the screen
            ("a\rError: b", "a\\rError: b"),  # replaces the line
            ("a\nb\tc", "a\\nb\\tc"),
            ("a\x07\x08\x7f", "a\\u0007\\u0008\\u007f"),
            ("a\x9b2J", "a\\u009b2J"),  # the same as Escape and a bracket
            ("a\u2028b\u202ecsv.exe\u2066", "a\\u2028b\\u202ecsv.exe\\u2066"),  # reads as exe.csv
            ("a\udcff", "a\\udcff"),  # a byte of a file name that is not UTF-8
            ("ŁÓDŹ 映画 🎬 עברית é", "ŁÓDŹ 映画 🎬 עברית é"),
        ],
    )
    def test_what_a_terminal_would_obey_is_written_out(
        self, capsys: pytest.CaptureFixture[str], name: str, shown: str
    ) -> None:
        report(InputError(f"{name}: The file is empty."))
        assert capsys.readouterr().err == f"Error: {shown}: The file is empty.\n"


def test_a_text_of_somebody_else_ends_a_sentence() -> None:
    assert phrase(" no\n\troute to  host. ") == "no route to host"


@pytest.mark.parametrize(
    ("status", "code", "passing"),
    [
        *((status, "", True) for status in (408, 429, 500, 502, 503, 504)),
        *((status, "", False) for status in (0, 400, 401, 403, 404, 409, 501)),
        *((400, code, True) for code in ("ThrottlingException", "SlowDown", "ProvisionedThroughputExceededException")),
        *((400, code, False) for code in ("AccessDeniedException", "ValidationException", "ResourceNotFoundException")),
    ],
)
def test_what_passes_is_told_by_status_and_code(status: int, code: str, *, passing: bool) -> None:
    assert passes(status, code) == passing


def test_a_certificate_that_is_not_trusted_stays_so() -> None:
    for reason in ("[SSL] certificate verify failed: self-signed", 'certificate for "a" does not match host name "b"'):
        assert is_untrusted(reason)
        assert isinstance(unreachable("Here", "It", reason, trust="CA_FILE"), InputError)
    assert isinstance(unreachable("Here", "It", "Connection refused", trust="CA_FILE"), UnavailableError)


def test_advice_follows_a_refusal() -> None:
    assert str(refused("Here", "It", "no.", "Ask again.")) == "Here: It refuses the request: no. Ask again."


def messages() -> Iterator[tuple[str, str]]:
    """Where an error of the tree is made, and its message with a word for whatever is filled in."""
    for name in MODULES:
        importlib.import_module(name)
    names = {kind.__name__ for _, kind in classes()}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names and node.args:
                yield f"{path.relative_to(ROOT)}:{node.lineno}", text_of(node.args[0])


def text_of(node: ast.expr) -> str:
    match node:
        case ast.Constant():
            return str(node.value)
        case ast.JoinedStr():
            return "".join(text_of(value) for value in node.values)
        case ast.BinOp():
            return text_of(node.left) + text_of(node.right)
        case ast.IfExp():
            return text_of(node.body)
        case ast.FormattedValue():
            return "Filled"
    return "Filled."


def test_every_message_is_one_line_of_whole_sentences() -> None:
    found = list(messages())
    assert len(found) > 100
    assert [f"{place} {text}" for place, text in found if not SENTENCES.fullmatch(text)] == []


#: A place and a colon, if there is one; then sentences, each with a capital and a full stop.
SENTENCES = re.compile(
    r"(?:(?:[^:.?\n]|[.?](?! ))+: )?(?:(?:[A-Z]|\"|`[a-z])(?:[^.?\n]|\.\.\.|[.?](?! |$))*[.?](?: |$))*(?:Filled)*"
)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("prices.csv, line 3: The cell is empty.", True),
        ("The file is empty. Its first line must name the columns.", True),
        ("--plot x.doc: A figure's name ends in .png, .svg or .pdf.", True),
        ("Did you mean train? `groundwork jobs` lists them.", True),
        ("prices.csv: cannot be read", False),
        ("prices.csv: the file is empty.", False),
        ("The file is empty", False),
        ("The file is empty.\nGive another.", False),
        ("The file is empty. give another.", False),
    ],
)
def test_sentences_are_told_from_others(text: str, *, right: bool) -> None:
    assert bool(SENTENCES.fullmatch(text)) == right
