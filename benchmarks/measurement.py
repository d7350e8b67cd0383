"""Record the figures of benchmarks, with when, where and with which versions they ran."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from groundwork import local

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from localcloud import LocalCloud

RESULTS = Path(__file__).parent / "results"
MODEL = "model name"

local.use()  # a benchmark finds clouds and engines as the command line does


def spread(values: Sequence[float], digits: int = 4) -> dict[str, float]:
    """Return the median and the extremes, rounded."""
    summary = {"median": statistics.median(values), "least": min(values), "most": max(values)}
    return {name: round(value, digits) for name, value in summary.items()}


def seconds(call: Callable[[], object]) -> float:
    """Return how many seconds a call takes."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def machine() -> str:
    """Describe the machine, such as "2 cores of AMD EPYC, 23 GiB, Python 3.11.7"."""
    memory = psutil.virtual_memory().total >> 30
    return f"{os.cpu_count()} cores of {_processor()}, {memory} GiB, Python {platform.python_version()}"


def circumstances(*packages: str) -> dict[str, Any]:
    """Return the date, the machine, its load, and the versions of packages."""
    facts = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": machine(),
        "load_average": round(os.getloadavg()[0], 1),
    }
    return facts | ({"versions": {name: metadata.version(name) for name in packages}} if packages else {})


def recorded(name: str) -> dict[str, Any]:
    """Return what a benchmark has recorded; empty before its first run."""
    file = RESULTS / f"{name}.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def record(name: str, results: dict[str, Any]) -> None:
    """Print results, and record them for a benchmark; each key replaces its last value."""
    print(json.dumps(results, indent=2, ensure_ascii=False), flush=True)
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps(recorded(name) | results, indent=2, ensure_ascii=False)
    (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def _processor() -> str:
    """Return the name of the processor, which only Linux keeps in a file."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith(MODEL))
    return next(names, platform.processor() or platform.machine())


def make_role(cloud: LocalCloud, name: str, service: str, *actions: str) -> str:
    """Make a role that a service assumes and that may do some actions; return its ARN."""
    iam = cloud.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=_policy(trust))["Role"]["Arn"]
    if actions:
        document = _policy({"Effect": "Allow", "Action": actions, "Resource": "*"})
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=document)
    return str(arn)


def _policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
