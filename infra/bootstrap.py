"""What a job's container runs first: fetch the code bundle, install what the image lacks, become the workload.

It is part of the job definition as text, so it needs only Python; boto3 is installed where an image lacks it. The
arguments are those of `python -m workloads`.
"""

import importlib.util
import os
import subprocess
import sys
import zipfile
from pathlib import Path

pip_install = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
if importlib.util.find_spec("boto3") is None:
    subprocess.run([*pip_install, "boto3"], check=True)

import boto3  # noqa: E402 (it may only be there now)

bucket, key = os.environ["GROUNDWORK_CODE"].removeprefix("s3://").split("/", 1)
code = Path.cwd() / "groundwork-code"
code.mkdir(exist_ok=True)
boto3.client("s3").download_file(bucket, key, str(code / "bundle.zip"))
with zipfile.ZipFile(code / "bundle.zip") as bundle:
    bundle.extractall(code)
subprocess.run([*pip_install, "--requirement", str(code / "workloads" / "requirements.txt")], check=True)

# In place of this process, so that the workload itself receives the signal when the host is reclaimed.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(code), os.environ.get("PYTHONPATH")]))
os.execv(sys.executable, [sys.executable, "-m", "workloads", *sys.argv[1:]])  # noqa: S606
