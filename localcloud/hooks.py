"""The one seam to moto: named functions that replace, wrap or follow one of its operations, or add one.

The decorators only mark a function. Importing its module changes nothing; `install` applies the marks, in the order in
which the functions are written, and `installed` lists what has been applied. What moto calls becomes ours for the whole
process, so a process serves one cloud.

A marked function whose first parameter is named ``cloud`` is given the cloud that it is installed for. What was a
property, or a static method, stays one.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial, update_wrapper, wraps
from types import ModuleType
from typing import Any, Literal, TypeVar

Function = Callable[..., Any]
Owner = type | ModuleType
F = TypeVar("F", bound=Function)

_MARKS = "_localcloud_hooks"


@dataclass(frozen=True)
class Hook:
    """One change of moto.

    Attributes:
        kind: What the function is to the operation.
        owner: The class or module that has the operation; None for an address of the server.
        name: The operation's name, or the address as a pattern of moto's.
        function: Ours.
    """

    kind: Literal["replace", "wrap", "after", "add", "address"]
    owner: Owner | None
    name: str
    function: Function

    def __str__(self) -> str:
        """Return one line: the kind, the operation, and our function."""
        owner = f"{_path(self.owner)}." if self.owner else ""
        return f"{self.kind} {owner}{self.name}: {_path(self.function)}"

    def apply(self, cloud: Any) -> None:
        """Change moto.

        Raises:
            AttributeError: moto does not have the operation, or already has one that is to be added.
        """
        function = bound(self.function, cloud)
        if self.owner is None:
            _addresses()[self.name] = function
            return
        present = inspect.getattr_static(self.owner, self.name, None)
        if (present is None) != (self.kind == "add"):
            has = "does not have" if present is None else "already has"
            raise AttributeError(f"moto {has} what this is about: {self}")
        setattr(self.owner, self.name, self._descriptor(present, function))

    def _descriptor(self, present: Any, function: Function) -> Any:
        """Put our function into the form that what it replaces has."""
        original = present.__get__ if isinstance(present, property) else getattr(self.owner, self.name, function)
        call = self._call(original, function)
        return type(present)(call) if isinstance(present, property | staticmethod) else wraps(original)(call)

    def _call(self, original: Function, function: Function) -> Function:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            return function(original, *args, **kwargs)

        def followed(*args: Any, **kwargs: Any) -> Any:
            result = original(*args, **kwargs)
            function(result, *args, **kwargs)
            return result

        def replaced(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return {"wrap": wrapped, "after": followed}.get(self.kind, replaced)


def replace(owner: Owner, *names: str) -> Callable[[F], F]:
    """Mark a function to be called instead of ``owner.name``, with the same arguments."""
    return _marked("replace", owner, names)


def wrap(owner: Owner, *names: str) -> Callable[[F], F]:
    """Mark a function to be called instead of ``owner.name``, with the original before the same arguments."""
    return _marked("wrap", owner, names)


def after(owner: Owner, *names: str) -> Callable[[F], F]:
    """Mark a function to be called after ``owner.name``, with its result before the same arguments."""
    return _marked("after", owner, names)


def add(owner: Owner, *names: str) -> Callable[[F], F]:
    """Mark a function to become ``owner.name``, which moto does not have."""
    return _marked("add", owner, names)


def address(pattern: str) -> Callable[[F], F]:
    """Mark a function to answer requests to an address below ``/moto-api/``, in the form of moto's own."""
    return _marked("address", None, (pattern,))


def marked(module: ModuleType) -> Iterator[Hook]:
    """Yield the marks of the functions that a module defines, in the order in which they are written."""
    for function in list(vars(module).values()):
        if inspect.isfunction(function) and function.__module__ == module.__name__:
            yield from getattr(function, _MARKS, ())


def install(cloud: Any, *modules: ModuleType) -> None:
    """Apply the marks of modules for a cloud.

    Raises:
        AttributeError: moto does not have an operation that is to be changed, or has one that is to be added.
    """
    for module in modules:
        for hook in marked(module):
            hook.apply(cloud)
            _installed.append(hook)


def installed() -> list[Hook]:
    """List what has been installed in this process, the first first."""
    return list(_installed)


def close_addresses() -> None:
    """Remove moto's own addresses below ``/moto-api/``, by which anybody could empty the cloud or set its answers."""
    _addresses().clear()


def bound(function: Function, cloud: Any) -> Function:
    """Return the function with the cloud as its first argument, if its first parameter is named ``cloud``."""
    first = next(iter(inspect.signature(function).parameters), "")
    return update_wrapper(partial(function, cloud), function) if first == "cloud" else function


def _addresses() -> dict[str, Function]:
    from moto.moto_api._internal.urls import url_paths

    return url_paths


def _marked(kind: Any, owner: Owner | None, names: tuple[str, ...]) -> Callable[[F], F]:
    def mark(function: F) -> F:
        hooks = [*getattr(function, _MARKS, ()), *(Hook(kind, owner, name, function) for name in names)]
        setattr(function, _MARKS, hooks)
        return function

    return mark


def _path(owner: Any) -> str:
    return owner.__name__ if isinstance(owner, ModuleType) else f"{owner.__module__}.{owner.__qualname__}"


_installed: list[Hook] = []
