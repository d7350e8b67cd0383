"""What a container runs once it has the code bundle: unpack it, add what the image lacks, become the workload.

`infra/constructs/bundle.py` starts it from the bundle itself, `code.zip` in the working directory. Standard library
only. The arguments are those of `python -m workloads`; on several nodes of an AWS Batch job, `torchrun` starts it on
each.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path
from platform import machine

CACHE = Path("/var/cache/groundwork")  # of the instance; what one job has read from S3, the next one need not
PORT = "29500"  # where the processes of several nodes meet


def unpack(bundle: Path, folder: Path) -> list[Path]:
    """Unpack the bundle, and return where modules are: its code, and the packages that the image lacks.

    The bundle has the wheels that AWS's PyTorch images lack, so a job there needs no network for them. In another image
    pip installs all packages from the index, in the versions and with the hashes that the bundle pins.
    """
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(folder)
    requirements = folder / os.environ.get("GROUNDWORK_REQUIREMENTS", "workloads/requirements.txt")
    if _all_met(requirements):
        return [folder]
    packages = folder / "packages"
    unpack_wheels(sorted(folder.glob("workloads/wheels/*.whl")), packages)
    sys.path.insert(0, str(packages))
    if not _all_met(requirements):
        install(requirements.with_suffix(".lock"), packages)
    return [packages, folder]


def unpack_wheels(wheels: list[Path], packages: Path) -> None:
    """Unpack the packages that the image lacks; none of them if one does not fit this Python."""
    lacking = [wheel for wheel in wheels if not met(wheel.name.split("-")[0])]
    if all(map(fits, lacking)):
        for wheel in lacking:
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(packages)


def fits(wheel: Path) -> bool:
    """Return whether a wheel for Linux fits this Python and machine, by the tags in its name."""
    python, abi, platform = wheel.stem.split("-")[-3:]
    supported = {"py3", f"cp{sys.version_info.major}{sys.version_info.minor}"}
    of_python = abi == "abi3" or not supported.isdisjoint(python.split("."))
    of_machine = sys.platform in platform and platform.endswith(f"_{machine()}")
    return of_python and (platform == "any" or of_machine)


def install(lock: Path, packages: Path) -> None:
    """Install pinned packages from the index, beside those of the image."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    if subprocess.run([*pip, "--target", str(packages), "--requirement", str(lock)], check=False).returncode:
        sys.exit(
            f"Error: The packages in {lock.name} cannot be installed (see above). The image lacks some of them, "
            "and the bundle has no wheels for its Python. Use an image that has them (workloads/Dockerfile), or run "
            "the job where it reaches the package index."
        )


def _all_met(requirements: Path) -> bool:
    return all(map(met, requirements.read_text().splitlines()))


def met(requirement: str) -> bool:
    """Return whether a line `package>=version` asks for what is there: pip takes two seconds of every job to say so."""
    package, _, least = requirement.partition("#")[0].strip().partition(">=")
    try:
        return not package or _numbers(metadata.version(package)) >= _numbers(least)
    except metadata.PackageNotFoundError:  # or the line says more than that
        return False


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


def launcher() -> list[str]:
    """Return what starts the module: Python, or on one of several nodes `torchrun` with a process for each GPU."""
    nodes = os.environ.get("AWS_BATCH_JOB_NUM_NODES", "1")
    if nodes == "1":
        return [sys.executable, "-m"]
    main = os.environ.get("AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS", "127.0.0.1")  # the main node is not told
    where = ["--nnodes", nodes, "--node-rank", os.environ["AWS_BATCH_JOB_NODE_INDEX"]]
    where += ["--master-addr", main, "--master-port", os.environ.get("MASTER_PORT", PORT)]
    processes = ["--nproc-per-node", "gpu" if shutil.which("nvidia-smi") else "1"]
    return [sys.executable, "-m", "workloads.training.runtime.launch", *where, *processes, "-m"]


def main() -> None:
    """Become the workload: in place of this process, so that it receives the signal when the host is reclaimed."""
    folder = Path.cwd() / "groundwork-code"
    modules = [str(place) for place in unpack(Path("code.zip"), folder)]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [*modules, os.environ.get("PYTHONPATH")]))
    if CACHE.is_dir():
        os.environ.setdefault("GROUNDWORK_CACHE", str(CACHE))
    program = [*launcher(), "workloads", *sys.argv[1:]]
    os.execv(program[0], program)  # noqa: S606


if __name__ == "__main__":
    main()
