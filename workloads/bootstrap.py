"""What a container runs once it has the code bundle: unpack it, install what the image lacks, become the workload.

`infra/code.py` starts it from the bundle itself, `code.zip` in the working directory. Standard library only. The
arguments are those of `python -m workloads`; on several nodes of an AWS Batch job, `torchrun` starts it on each.
"""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

CACHE = Path("/var/cache/groundwork")  # of the instance; what one job has read from S3, the next one need not
PORT = "29500"  # where the processes of several nodes meet


def unpack(bundle: Path, folder: Path) -> None:
    """Unpack the bundle, and install the packages that it asks for and the image lacks."""
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(folder)
    requirements = folder / os.environ.get("GROUNDWORK_REQUIREMENTS", "workloads/requirements.txt")
    if all(map(met, requirements.read_text().splitlines())):
        return
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if subprocess.run([*install, "--requirement", str(requirements)], check=False).returncode:
        sys.exit(
            f"Error: the packages in {requirements.name} cannot be installed (see above). Where there is no way to the "
            "package index, such as on the nodes of a multi-node job, use an image that has them: workloads/Dockerfile"
        )


def met(requirement: str) -> bool:
    """Whether a line `package>=version` asks for what is there: pip takes two seconds of every job to say so."""
    package, _, least = requirement.partition("#")[0].strip().partition(">=")
    try:
        return not package or _numbers(metadata.version(package)) >= _numbers(least)
    except metadata.PackageNotFoundError:  # or the line says more than that
        return False


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


def launcher() -> list[str]:
    """What starts the module: Python, or on one of several nodes `torchrun`, one process a GPU."""
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
    unpack(Path("code.zip"), folder)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
    if CACHE.is_dir():
        os.environ.setdefault("GROUNDWORK_CACHE", str(CACHE))
    program = [*launcher(), "workloads", *sys.argv[1:]]
    os.execv(program[0], program)  # noqa: S606


if __name__ == "__main__":
    main()
