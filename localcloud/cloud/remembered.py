"""Botocore's files, which never change: every session looks for them again, and reads them again.

botocore's client of S3 takes the bucket out of the paths of the model that it was made with, so it gets one of its own;
moto looks operations up by these paths.
"""

from __future__ import annotations

import copy
import os
from functools import cache
from typing import Any

from botocore.loaders import JSONFileLoader, Loader

from localcloud.hooks import wrap


@wrap(JSONFileLoader, "load_file")
def _load_file(original: Any, _loader: JSONFileLoader, path: str) -> Any:
    content = _read(original, path)
    return copy.deepcopy(content) if f"{os.sep}s3{os.sep}" in path else content


@wrap(Loader, "list_available_services")
def _list_available_services(original: Any, _loader: Loader, type_name: str) -> Any:
    return _listed(original, type_name)


@cache
def _read(load_file: Any, path: str) -> Any:
    return load_file(JSONFileLoader(), path)


@cache
def _listed(list_available_services: Any, type_name: str) -> Any:
    return list_available_services(Loader(), type_name)
