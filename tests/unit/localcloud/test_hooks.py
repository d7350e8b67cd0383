"""The seam to moto: what is installed is listed, and importing installs nothing."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from localcloud import hooks

#: Imports every module of the local cloud, then prints how many changes of moto are marked, and those that are made.
IMPORTING = """
import importlib, pkgutil
import localcloud
from localcloud import hooks
modules = [importlib.import_module(found.name) for found in pkgutil.walk_packages(localcloud.__path__, "localcloud.")
           if not found.name.endswith(("__main__", ".runtime", "_server"))]
marks = [hook for module in modules for hook in hooks.marked(module)]
print(len(marks))
for hook in marks:
    owned = vars(hook.owner).get(hook.name) if hook.owner else None
    function = getattr(owned, "fget", None) or getattr(owned, "__func__", owned)
    if "localcloud" in getattr(getattr(function, "__code__", None), "co_filename", ""):
        print(hook)
print(*hooks.installed(), sep="\\n")
"""
#: Installs every room in a cloud, and prints what was installed.
INSTALLING = """
from pathlib import Path
from localcloud import hooks, services
from localcloud.cloud.context import Cloud
services.install(Cloud(Path.cwd(), "http://localhost"))
print(*hooks.installed(), sep="\\n")
"""


class Backend:
    """As one of moto's."""

    def __init__(self, name: str) -> None:
        self.name = name

    def create(self, item: str) -> str:
        return f"{self.name}: {item}"

    @property
    def address(self) -> str:
        return "far away"

    @staticmethod
    def parse(text: str) -> str:
        return text


def module_of(*functions: Any) -> ModuleType:
    """A module that defines these functions."""
    module = ModuleType("additions")
    for function in functions:
        function.__module__ = module.__name__
        setattr(module, function.__name__, function)
    return module


@pytest.fixture
def backend() -> type[Backend]:
    return type("Fresh", (Backend,), dict(vars(Backend)))


def run(program: str) -> list[str]:
    return (
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        .stdout.strip()
        .splitlines()
    )


def test_importing_the_local_cloud_changes_nothing_of_moto() -> None:
    [marks, *changed] = run(IMPORTING)
    assert int(marks) > 80
    assert changed == []


def test_what_the_rooms_install_is_listed() -> None:
    listed = run(INSTALLING)
    assert (
        "wrap moto.rds.models.RDSBackend.create_db_instance: localcloud.services.rds.behaviour._create_db_instance"
        in listed
    )
    assert (
        "add moto.cloudtrail.responses.CloudTrailResponse.lookup_events: "
        "localcloud.services.cloudtrail.behaviour._lookup_events" in listed
    )
    assert any(line.startswith("address {0}/moto-api/reclaim$: ") for line in listed)
    assert len(listed) == len({*listed})


def test_a_function_is_called_instead_of_around_and_after_an_operation(backend: type[Backend]) -> None:
    heard = []

    @hooks.wrap(backend, "create")
    def wrapping(original: Any, self: Backend, item: str) -> str:
        return f"<{original(self, item)}>"

    @hooks.after(backend, "create")
    def listening(result: str, self: Backend, item: str) -> None:
        heard.append((result, self.name, item))

    @hooks.replace(backend, "address")
    def here(cloud: Any, self: Backend) -> str:
        return f"{self.name} at {cloud.endpoint}"

    @hooks.replace(backend, "parse")
    def parsed(text: str) -> str:
        return text.upper()

    @hooks.add(backend, "delete")
    def deleting(self: Backend, item: str) -> str:
        return f"{self.name} deletes {item}"

    hooks.install(SimpleNamespace(endpoint="localhost"), module_of(wrapping, listening, here, parsed, deleting))
    made: Any = backend("b")
    assert made.create("x") == "<b: x>"
    assert heard == [("<b: x>", "b", "x")]
    assert made.address == "b at localhost"
    assert (backend.parse("a"), made.parse("a")) == ("A", "A")
    assert made.delete("x") == "b deletes x"


def test_an_operation_that_moto_does_not_have_is_not_replaced_in_silence(backend: type[Backend]) -> None:
    @hooks.replace(backend, "no_such_operation")
    def replacing() -> None: ...

    @hooks.add(backend, "create")
    def adding() -> None: ...

    with pytest.raises(AttributeError, match=r"moto does not have what this is about: replace .*no_such_operation"):
        hooks.install(None, module_of(replacing))
    with pytest.raises(AttributeError, match="moto already has what this is about: add"):
        hooks.install(None, module_of(adding))
