"""The table of services in the documentation: what is there of each, read from the rooms, moto and botocore.

Run as `python -m localcloud.services.page docs/local-cloud.md`: it brings the page's table up to date.
"""

from __future__ import annotations

import inspect
import re
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from botocore.model import ServiceModel
from moto.core.responses import BaseResponse
from moto.core.utils import camelcase_to_underscores, get_service_model, method_names_from_class

from localcloud import hooks
from localcloud.services import ROOMS, Room

#: moto's names of the services of rooms, where they differ.
MOTO = {"neptune": "rds", "timestream": "timestreamwrite"}
BEGIN, END = "<!-- services -->", "<!-- end of services -->"
HEADER = "| service | operations | resource types | rules |\n|---|---|---|---|"


def documented(page: str) -> str:
    """Return a page with its table up to date."""
    rows = sorted(_row(Room(f"localcloud.services.{name}"), name) for name in ROOMS if name != "neptune")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return "\n".join([f"{before}{BEGIN}\n", HEADER, *rows, f"\n{END}{after}"])


def _row(room: Room, name: str) -> str:
    """Return the table row of a service; Neptune shares the row of RDS, because it shares its API."""
    model, operations = claimed(room, name)
    shared = [room, Room("localcloud.services.neptune")] if name == "rds" else [room]
    kinds = [kind.removeprefix("AWS::") for shared_room in shared for kind in shared_room.table("types.yaml")]
    rules = sum(len(row["rules"]) for shared_room in shared for row in shared_room.table("rules.yaml").values())
    title = f"{model.metadata['serviceFullName']}{', Amazon Neptune' if name == 'rds' else ''}"
    listed = ", ".join(f"`{kind}`" for kind in sorted(kinds))
    return f"| {title} | {len(operations)} of {len(model.operation_names)} | {listed} | {rules or ''} |"


#: The end of a function that does nothing but refuse an operation by name.
_REFUSAL = re.compile(r"^    raise NotImplementedError\([^\n]*\)\n*\Z", re.MULTILINE)


def claimed(room: Room, name: str) -> tuple[ServiceModel, list[str]]:
    """Return the model of the service of a room, and the operations that are there, by moto or by the room."""
    response = _response(MOTO.get(name, name))
    model = get_service_model(response.boto3_service_name)
    marks = [hook for hook in _marks(room) if hook.owner is type(response)]
    refused = {
        hook.name for hook in marks if hook.kind == "replace" and _REFUSAL.search(inspect.getsource(hook.function))
    }
    methods = [
        method
        for method in method_names_from_class(type(response))
        if method not in refused and not _is_refused(response, method)
    ]
    methods += [hook.name for hook in marks if hook.kind == "add"]
    return model, [
        operation
        for operation in model.operation_names
        if {camelcase_to_underscores(operation), operation.lower()} & {*methods}
    ]


def _is_refused(response: Any, method: str) -> bool:
    """Return whether all that a method of moto's does is to say that it is not implemented."""
    source = inspect.getsource(inspect.unwrap(getattr(type(response), method)))
    return (
        re.search(r"^\s*raise NotImplementedError\(\s*\"[\w()]+\.\w+ is not yet implemented", source, re.MULTILINE)
        is not None
    )


def _response(name: str) -> Any:
    """Return an instance of moto's class that answers a service's requests."""
    module = import_module(f"moto.{name}.responses")
    classes = [
        member
        for _, member in inspect.getmembers(module, inspect.isclass)
        if issubclass(member, BaseResponse) and member.__module__.startswith(f"moto.{name}")
    ]
    return next(instance for kind in reversed(classes) if (instance := kind()).boto3_service_name)


def _marks(room: Room) -> list[hooks.Hook]:
    """Return the changes of moto that the modules of a room make which it installs."""
    room.module("room")
    modules = [module for name, module in sorted(sys.modules.items()) if name.startswith(f"{room.package}.")]
    return [hook for module in modules for hook in hooks.marked(module)]


if __name__ == "__main__":
    for page in map(Path, sys.argv[1:]):
        page.write_text(documented(page.read_text(encoding="utf-8")), encoding="utf-8")
