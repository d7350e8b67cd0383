"""`groundwork data`: a folder goes to S3 and back, whole, once, and checked."""

from __future__ import annotations

import json
import pkgutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import boto3
import pytest

from contract.errors import InputError, UnavailableError
from contract.workloads import DATA_SETS, TRAINING, DataSet
from workloads.commands import app
from workloads.sample import is_sample
from workloads.storage import locate
from workloads.transfer import Files, check, send

Data = Callable[..., str]


@pytest.fixture
def data(aws: None, capsys: pytest.CaptureFixture[str]) -> Data:
    """Runs a command; what it says."""
    boto3.client("s3").create_bucket(Bucket="bucket")

    def run(*words: str | Path) -> str:
        app(["data", *map(str, words)], standalone_mode=False)
        return capsys.readouterr().out

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A person's own images."""
    made = tmp_path / "mine"
    for number in range(30):
        file = made / f"class-{number % 3}" / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(bytes([number]) * 1000)
    return made


def test_a_folder_goes_to_s3_and_back(data: Data, folder: Path, tmp_path: Path) -> None:
    assert data("put", folder, "--to", "s3://bucket/mine").count(" 1,000 bytes") == 30
    assert data("put", folder, "--to", "s3://bucket/mine").count("already there") == 30
    assert data("verify", "s3://bucket/mine").count("good ") == 30
    listed = data("list", "s3://bucket/mine").splitlines()
    assert [len(line.split()[0]) for line in listed[1:]] == [64] * 30
    data("put", "s3://bucket/mine", "--to", tmp_path / "back")
    names = [path.relative_to(folder) for path in folder.rglob("*.png")]
    assert all((tmp_path / "back" / name).read_bytes() == (folder / name).read_bytes() for name in names)


def test_a_known_data_set_comes_from_the_folder_of_all(
    data: Data, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.rename(tmp_path / "nfl")
    monkeypatch.setenv("GROUNDWORK_DATA", str(tmp_path))
    assert data("put", "nfl", "--to", "s3://bucket/nfl").count(" 1,000 bytes") == 30
    monkeypatch.delenv("GROUNDWORK_DATA")
    with pytest.raises(InputError, match="Get it from Kaggle: kendallgillies/nflstatistics and set GROUNDWORK_DATA"):
        data("put", "nfl", "--to", "s3://bucket/nfl")


@pytest.mark.parametrize("command", ["put", "sample"])
def test_a_known_data_set_goes_where_the_stacks_jobs_read_it(
    data: Data, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    template = {
        "Resources": {"Data": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "of-the-stack"}}},
        "Outputs": {"DataBucketName": {"Value": {"Ref": "Data"}}},
    }
    boto3.client("cloudformation").create_stack(StackName="Mine", TemplateBody=json.dumps(template))
    folder.rename(tmp_path / "delivery")
    monkeypatch.setenv("GROUNDWORK_DATA", str(tmp_path))
    data(command, "delivery", "--stack", "Mine")
    assert data("list", "s3://of-the-stack/delivery")
    with pytest.raises(InputError, match=r"Stack Training: It does not exist"):
        data(command, "delivery")


def test_what_was_damaged_is_named_and_sent_again(data: Data, folder: Path) -> None:
    data("put", folder, "--to", "s3://bucket/mine")
    locate("s3://bucket/mine/class-1/4.png").write(b"x" * 1000)
    locate("s3://bucket/mine/class-2/5.png").delete()
    with pytest.raises(InputError, match=r"missing: class-1/4.png, class-2/5.png\. .* data put SOURCE --to .* --again"):
        data("verify", "s3://bucket/mine")
    data("put", folder, "--to", "s3://bucket/mine", "--again")
    assert data("verify", "s3://bucket/mine").count("good ") == 30


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("put", "digits", "--to", "s3://bucket/x"), "digits: This is neither a data set"),
        (("put", "{folder}"), "--to: Name a folder or an s3:// URI for .*/mine"),
        (("put", ".", "--to", "ftp://bucket/x"), "ftp://bucket/x: This is not a place for files"),
        (("put", "{folder}", "--to", "s3://absent/x"), "There is no bucket absent"),
        (("list", "s3://absent/x"), "There is no bucket absent"),
        (("list", "s3://bucket/x"), "s3://bucket/x: There are no files"),
        (("verify", "s3://bucket/x"), "s3://bucket/x: There is no SHA256SUMS"),
        (("sample", "emnist", "--to", "x"), "There is no data set emnist"),
    ],
)
def test_what_cannot_be_is_said(data: Data, folder: Path, words: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError, match=message) as refused:
        data(*(word.format(folder=folder) for word in words))
    assert refused.value.exit_code == 2


def test_a_transfer_that_was_killed_goes_on(folder: Path, tmp_path: Path) -> None:
    """Every file that is at its place is whole; the same command brings the rest."""
    target = tmp_path / "there"
    slow = (
        "import sys, os, signal, workloads.transfer as transfer\n"
        "from pathlib import Path\n"
        "from workloads.storage import Folder\n"
        "write, count = Folder.write, iter(range(99))\n"
        "def fuse(place, content):\n"
        "    if next(count) == 17: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    write(place, content)\n"
        "Folder.write, transfer._SUMS_SECONDS = fuse, 0\n"
        "transfer.send(transfer.Files(Folder(Path(sys.argv[1]))), Folder(Path(sys.argv[2])), print)\n"
    )
    killed = subprocess.run([sys.executable, "-c", slow, folder, target], check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    sent = {path.name: path.read_bytes() for path in target.rglob("*.png")}
    assert 0 < len(sent) < 30
    told = list[str]()
    send(Files(locate(str(folder))), locate(str(target)), told.append)
    assert sum("already there" in line for line in told) > 0
    assert {file.state for file in check(locate(str(target)))} == {"good"}


def test_an_origin_that_is_away_is_an_outage(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise RuntimeError("Error downloading train-images-idx3-ubyte.gz:\nTried a mirror, got: no route to host\n")

    monkeypatch.delenv("GROUNDWORK_DATA", raising=False)
    monkeypatch.setattr("torchvision.datasets.MNIST", unreachable)
    with pytest.raises(UnavailableError, match=r"^Data set mnist: It cannot be downloaded: .* data sample mnist"):
        data("put", "mnist", "--to", "s3://bucket/digits")


def test_sample_data_is_known_as_such_wherever_it_goes_until_other_data_replaces_it(
    data: Data, folder: Path, tmp_path: Path
) -> None:
    place = tmp_path / "delivery"
    data("sample", "delivery", "--to", place)
    data("put", place, "--to", "s3://bucket/delivery")
    assert is_sample(str(place))
    assert is_sample(str(place / "Food_Delivery_Times.csv"))
    assert is_sample("s3://bucket/delivery")
    assert is_sample("s3://bucket/delivery/Food_Delivery_Times.csv")
    assert not is_sample(str(folder))
    data("put", folder, "--to", "s3://bucket/delivery")
    assert not is_sample("s3://bucket/delivery")
    assert "missing" not in data("verify", "s3://bucket/delivery")


@pytest.mark.parametrize("data_set", DATA_SETS.values(), ids=lambda data_set: data_set.name)
def test_the_functions_that_the_manifest_names_exist(data_set: DataSet) -> None:
    assert pkgutil.resolve_name(data_set.sample)()
    assert data_set.download is None or callable(pkgutil.resolve_name(data_set.download))


def test_every_workload_learns_from_a_data_set_of_the_manifest() -> None:
    assert {workload.data_set for workload in TRAINING.values()} == DATA_SETS.keys()
