"""Botocore's files, which never change: every session looks for them again, and reads them again."""

from functools import cache
from typing import Any

from botocore.loaders import JSONFileLoader, Loader

from localcloud.hooks import wrap


@wrap(JSONFileLoader, "load_file")
def _load_file(original: Any, _loader: JSONFileLoader, path: str) -> Any:
    return _read(original, path)


@wrap(Loader, "list_available_services")
def _list_available_services(original: Any, _loader: Loader, type_name: str) -> Any:
    return _listed(original, type_name)


@cache
def _read(load_file: Any, path: str) -> Any:
    return load_file(JSONFileLoader(), path)


@cache
def _listed(list_available_services: Any, type_name: str) -> Any:
    return list_available_services(Loader(), type_name)
