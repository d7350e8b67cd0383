"""The commands in the documentation's shell blocks, and how each of them is executed (`documented_commands.yaml`)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), ROOT / "cloudformation" / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
#: Tutorials are executed as a whole, and what they show is compared (`tests/e2e/test_tutorials.py`).
TUTORIALS = ROOT / "docs" / "tutorials"
#: So is this page (`tests/integration/environments/test_company.py`), but for what only a git host can run.
COMPANY = ROOT / "docs" / "company.md"


@dataclass(frozen=True)
class Session:
    """Pages whose commands one shell executes, one page after another.

    Attributes:
        pages: The pages.
        before: Commands that prepare the folder.
        options: Options that a command gets besides, such as one that shortens a training, by the command.
    """

    pages: list[str]
    before: list[str]
    options: dict[str, str]


@dataclass(frozen=True)
class Record:
    """How the documented commands are executed.

    Attributes:
        sessions: The pages that a test executes, by the name of the session.
        tests: Patterns of commands that a test executes with values of its own, by the test.
        reasons: Patterns of commands that no test executes, by the reason.
    """

    sessions: dict[str, Session]
    tests: dict[str, list[str]]
    reasons: dict[str, list[str]]

    @property
    def patterns(self) -> list[str]:
        """Return all patterns of commands that the sessions leave out."""
        return [pattern for group in (self.tests, self.reasons) for patterns in group.values() for pattern in patterns]

    def leaves_out(self, command: str) -> bool:
        """Return whether another test executes a command, or none does."""
        return any(fnmatchcase(command, pattern) for pattern in self.patterns)


def record() -> Record:
    """Return the record of how the documented commands are executed."""
    content = yaml.safe_load((ROOT / "tests" / "documented_commands.yaml").read_text())
    sessions = {
        name: Session(session["pages"], session.get("before", []), session.get("options", {}))
        for name, session in content["sessions"].items()
    }
    return Record(sessions, content["tests"], content["reasons"])


def commands(page: Path) -> list[str]:
    """Return the commands in a page's shell blocks in order, without comments.

    Commands with `&&` between them are several; one with a here-document is one.
    """
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```", page.read_text(), re.DOTALL | re.MULTILINE)
    found = []
    for block in blocks:
        lines = iter(block.replace("\\\n", " ").splitlines())
        for line in lines:
            command = " ".join(re.sub(r"(^|\s+)#(\s.*)?$", "", line).split())
            if command.endswith("<<'END'"):
                rest = [command]
                while rest[-1] != "END":
                    rest.append(next(lines))
                found.append("\n".join(rest))
            elif command:
                found += command.split(" && ")
    return found
