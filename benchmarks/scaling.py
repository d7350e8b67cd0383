"""Measure what training at scale costs in time: `python benchmarks/scaling.py [--data FOLDER] [--only NAME ...]`.

scaling     DDP on two processes against one, same global batch, and against two that share nothing: images a second
first-batch from data in S3 (the local cloud's) to the first batch as a tensor: our loader, first and from the
            instance's cache; plain boto3; torchvision's MNIST on files that boto3 has fetched
checkpoint  share of the training time that checkpoints take, in a folder and in S3
queue       from submit to RUNNING in the local queue
gpu         images a second on a GPU against what its memory and matrix rates allow; only where there is one

Each figure is the median of some runs, with the spread; all of a comparison are of one run on one machine.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import torch
import torchvision
from measurement import circumstances, make_role, record, seconds, spread
from torchvision import datasets as vision

from localcloud import LocalCloud
from workloads import storage
from workloads.cache import through_cache
from workloads.storage import locate
from workloads.training.mnist import FILES, load_mnist, sample_mnist
from workloads.training.models.digit_classifier.model import WORKLOAD
from workloads.training.runtime.checkpoint import Checkpoints
from workloads.training.runtime.settings import RunOptions
from workloads.training.runtime.train import train
from workloads.transfer import send

if TYPE_CHECKING:
    from collections.abc import Callable

PROJECT = Path(__file__).parent.parent
BATCH = 128


def scaling(data: str, epochs: int, repeats: int) -> dict[str, Any]:
    """Return the images per second of one process, of two, and of two that share nothing; each has one thread.

    The two that share nothing have half the batch each and never wait for each other: what they reach is the limit that
    the machine's memory, caches and the smaller batches set for any way of working together.
    """

    def start(folder: Path, batch: int, processes: int = 1) -> subprocess.Popen[bytes]:
        options = ["--data", data, "--output", str(folder), "--device", "cpu", "--precision", "float32"]
        options += ["--epochs", str(epochs), "--batch-size", str(batch)]
        launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes), "-m"]
        program = [sys.executable, *(launcher if processes > 1 else ["-m"]), "workloads", "train", "digit-classifier"]
        strategy = ["--strategy", "ddp"] if processes > 1 else []
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        return subprocess.Popen([*program, *strategy, *options], env=environment, stdout=subprocess.DEVNULL)

    def rate(folder: Path, training: subprocess.Popen[bytes]) -> float:
        if training.wait():
            raise SystemExit(f"The training in {folder} failed.")
        rows = list(csv.DictReader((folder / "history.csv").read_text().splitlines()))
        return statistics.median(float(row["samples_per_second"]) for row in rows[1:] or rows)

    rates: dict[str, list[float]] = {"1": [], "2": [], "apart": []}
    with tempfile.TemporaryDirectory() as parent:
        for turn in range(repeats):
            one, two, left, right = (Path(parent, f"{name}-{turn}") for name in ("one", "two", "left", "right"))
            rates["1"].append(rate(one, start(one, BATCH)))
            rates["2"].append(rate(two, start(two, BATCH, processes=2)))
            apart = [(folder, start(folder, BATCH // 2)) for folder in (left, right)]
            rates["apart"].append(sum(rate(folder, training) for folder, training in apart))
    return {
        **{f"images_per_second_{name}": spread(values) for name, values in rates.items()},
        "efficiency": spread([two / one / 2 for one, two in zip(rates["1"], rates["2"], strict=True)]),
        "efficiency_apart": spread([apart / one / 2 for one, apart in zip(rates["1"], rates["apart"], strict=True)]),
        "share_of_limit": spread([two / apart for two, apart in zip(rates["2"], rates["apart"], strict=True)]),
        "threads_a_process": 1,
    }


def first_batch(cloud: LocalCloud, files: dict[str, bytes], repeats: int) -> dict[str, Any]:
    """Return the seconds from data in S3 to the first batch of images as a tensor."""
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="benchmark")
    send(files, locate("s3://benchmark/mnist"), lambda _: None)
    names = [f"{name}.gz" if f"{name}.gz" in files else name for name in FILES]

    def ours() -> None:
        torch.from_numpy(load_mnist(through_cache(locate("s3://benchmark/mnist"))).train_images[:BATCH]).float()

    def plain() -> None:
        contents = [s3.get_object(Bucket="benchmark", Key=f"mnist/{name}")["Body"].read() for name in names]
        images = gzip.decompress(contents[0]) if names[0].endswith(".gz") else contents[0]
        torch.frombuffer(bytearray(images[16 : 16 + BATCH * 784]), dtype=torch.uint8).view(BATCH, 28, 28).float()

    def with_torchvision() -> None:
        with tempfile.TemporaryDirectory() as folder:
            raw = Path(folder, "MNIST", "raw")
            raw.mkdir(parents=True)
            for name in names:
                content = s3.get_object(Bucket="benchmark", Key=f"mnist/{name}")["Body"].read()
                (raw / name.removesuffix(".gz")).write_bytes(
                    gzip.decompress(content) if name.endswith(".gz") else content
                )
            data_set = vision.MNIST(folder, train=True, transform=torchvision.transforms.ToTensor())
            next(iter(torch.utils.data.DataLoader(data_set, batch_size=BATCH)))

    times: dict[str, list[float]] = {}
    for turn in range(repeats + 1):
        with tempfile.TemporaryDirectory() as cache:
            os.environ["GROUNDWORK_CACHE"] = cache
            row = {"ours": seconds(ours), "ours_cached": seconds(ours)}
            del os.environ["GROUNDWORK_CACHE"]
        row |= {"plain_boto3": seconds(plain), "torchvision": seconds(with_torchvision)}
        if turn:  # the first warms connections and imports
            for name, value in row.items():
                times.setdefault(name, []).append(value)
    return {f"{name}_seconds": spread(values) for name, values in times.items()}


def checkpoint(data: str, epochs: int, output: str, repeats: int) -> dict[str, Any]:
    """Return the share of the training time that checkpoints take, measured inside one training."""
    shares, seconds = [], []
    for turn in range(repeats):
        spent = 0.0
        save = Checkpoints.save

        def timed(self: Checkpoints, *arguments: Any, _save: Any = save) -> None:
            nonlocal spent
            began = time.perf_counter()
            _save(self, *arguments)
            spent += time.perf_counter() - began

        Checkpoints.save = timed  # type: ignore[method-assign]
        try:
            settings = WORKLOAD.settings(epochs=epochs)
            place = f"{output}/{turn}"
            train("digit-classifier", WORKLOAD, settings, options=RunOptions(), data=data, output=place)
        finally:
            Checkpoints.save = save  # type: ignore[method-assign]
        rows = csv.DictReader((locate(place) / "history.csv").read().decode().splitlines())
        shares.append(100 * spent / sum(float(row["epoch_seconds"]) for row in rows))
        seconds.append(1000 * spent / epochs)
    return {"percent_of_training": spread(shares), "milliseconds_each": spread(seconds), "epochs": epochs}


def queue(cloud: LocalCloud) -> dict[str, Any]:
    """Return the seconds from submission to RUNNING of a job that prints a word."""
    batch = cloud.client("batch")
    role = make_role(cloud, "benchmark", "batch.amazonaws.com")
    environment = batch.create_compute_environment(
        computeEnvironmentName="benchmark", type="UNMANAGED", state="ENABLED", serviceRole=role
    )
    order = [{"order": 1, "computeEnvironment": environment["computeEnvironmentArn"]}]
    batch.create_job_queue(jobQueueName="benchmark", state="ENABLED", priority=1, computeEnvironmentOrder=order)
    container = {"image": "any", "command": ["echo", "word"], "vcpus": 1, "memory": 128}
    batch.register_job_definition(jobDefinitionName="benchmark", type="container", containerProperties=container)

    def started() -> None:
        job = batch.submit_job(jobName="benchmark", jobQueue="benchmark", jobDefinition="benchmark")["jobId"]
        while batch.describe_jobs(jobs=[job])["jobs"][0]["status"] not in ("RUNNING", "SUCCEEDED"):
            time.sleep(0.005)

    started()
    return {"submit_to_running_seconds": spread([seconds(started) for _ in range(10)])}


def gpu(data: str) -> dict[str, Any] | None:
    """Images a second of both digit models, beside the card's own rates; None where there is no GPU."""
    if not torch.cuda.is_available():
        return None
    matrix = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
    vector = torch.empty(2**30, device="cuda", dtype=torch.uint8)

    def rate(work: Callable[[], object], amount: float) -> float:
        def once() -> None:
            work()
            torch.cuda.synchronize()

        once()
        return amount / min(seconds(once) for _ in range(5))

    rows: dict[str, Any] = {
        "card": torch.cuda.get_device_name(),
        "matrix_teraflops_bfloat16": round(rate(lambda: matrix @ matrix, 2 * 8192**3) / 1e12, 1),
        "memory_gigabytes_per_second": round(rate(vector.clone, 2 * vector.numel()) / 1e9, 1),
    }
    for workload in ("digit-classifier", "digit-gan"):
        with tempfile.TemporaryDirectory() as folder:
            program = [sys.executable, "-m", "workloads", "train", workload, "--device", "cuda"]
            subprocess.run(
                [*program, "--data", data, "--output", folder, "--epochs", "3", "--batch-size", "1024"], check=True
            )
            history = list(csv.DictReader(Path(folder, "history.csv").read_text().splitlines()))
        rows[f"{workload}_images_per_second"] = round(float(history[-1]["samples_per_second"]))
    return rows


def main() -> None:
    """Measure, print and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder with MNIST (default: the sample that the project makes)")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", action="append", choices=("scaling", "first-batch", "checkpoint", "queue", "gpu"))
    options = parser.parse_args()
    measurements = options.only or ["scaling", "first-batch", "checkpoint", "queue", "gpu"]
    with tempfile.TemporaryDirectory() as folder, LocalCloud(Path(folder, "cloud"), project=PROJECT) as cloud:
        os.environ.update(cloud.environment())
        storage.s3.cache_clear()
        boto3.setup_default_session()
        files = {p.name: p.read_bytes() for p in Path(options.data).iterdir()} if options.data else sample_mnist()
        data = str(Path(folder, "mnist"))
        send({name: content for name, content in files.items() if "ubyte" in name}, locate(data), lambda _: None)
        measures: dict[str, Callable[[], Any]] = {
            "scaling": lambda: scaling(data, options.epochs, options.repeats),
            "first-batch": lambda: first_batch(cloud, files, options.repeats),
            "checkpoint": lambda: {
                "folder": checkpoint(data, options.epochs, str(Path(folder, "runs")), options.repeats),
                "s3": checkpoint(data, options.epochs, _bucket(cloud), options.repeats),
            },
            "queue": lambda: queue(cloud),
            "gpu": lambda: gpu(data),
        }
        for name in measurements:
            figures = measures[name]()
            of = "real MNIST" if options.data else "the project's sample"
            record("scaling", {name: {"figures": figures, **circumstances("torch"), "data": of}})


def _bucket(cloud: LocalCloud) -> str:
    cloud.client("s3").create_bucket(Bucket="checkpoints")
    return "s3://checkpoints/runs"


if __name__ == "__main__":
    main()
