"""The one seam to moto: run our functions after, or instead of, its methods."""

from collections.abc import Callable
from functools import wraps
from types import ModuleType
from typing import Any

Function = Callable[..., Any]


def after(owner: type, *names: str) -> Callable[[Function], Function]:
    """Call the decorated ``listener(result, *args)`` after every ``owner.name(*args)``."""

    def install(listener: Function) -> Function:
        for name in names:
            setattr(owner, name, _followed(getattr(owner, name), listener))
        return listener

    return install


def _followed(original: Function, listener: Function) -> Function:
    @wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        listener(result, *args, **kwargs)
        return result

    return call


def instead(owner: type | ModuleType, name: str) -> Callable[[Function], Function]:
    """Replace ``owner.name`` by the decorated function, which gets the original as its first argument."""

    def install(replacement: Function) -> Function:
        original = getattr(owner, name)

        @wraps(original)
        def call(*args: Any, **kwargs: Any) -> Any:
            return replacement(original, *args, **kwargs)

        setattr(owner, name, call)
        return replacement

    return install
