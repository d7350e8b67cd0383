"""A cloud's life, with real processes: one for each name, known by its lock, and nothing left of it afterwards."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.exceptions import BotoCoreError

from localcloud import LocalCloud, LocalCloudError
from localcloud.cloud import lock, outside
from tests.integration.localcloud.test_events import function, invoke
from tests.policies import trust
from tests.processes import command_line, is_at_work

Groundwork = Callable[..., subprocess.CompletedProcess[str]]
#: The password has only letters and digits, as Timestream for InfluxDB takes no others.
ACCESS = {"MasterUsername": "boss", "MasterUserPassword": "longpassword1"}
#: Leaves its parents and its session, and hears no request to end.
DAEMON = "(trap '' TERM HUP; setsid sh -c 'echo $$ > {}; exec sleep 600' &)"

FUNCTIONS, JOBS = 50, 5
#: A cloud runs four jobs at a time, or as many as there are cores; the others wait.
RUNNING_JOBS = min(JOBS, max(4, os.cpu_count() or 1))
#: Works for longer than the test, with a process that has left its session.
WORKS = """
import os, pathlib, subprocess, time

def handler(event, context):
    child = subprocess.Popen(["sleep", "600"], start_new_session=True)
    pathlib.Path(event["folder"], context.aws_request_id).write_text(f"{os.getpid()} {child.pid}")
    time.sleep(600)
"""


@pytest.fixture
def groundwork(tmp_path: Path) -> Iterator[Groundwork]:
    """Runs the command line in a folder of its own; in the end no cloud is left there."""

    def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return finished(command(*words), tmp_path, **environment)

    yield run
    for cloud in tmp_path.glob(".groundwork/local/*"):
        LocalCloud(cloud).stop()


def finished(command: list[str], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, env=os.environ | environment, text=True, capture_output=True, check=False
    )


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "groundwork", "local", *words]


def cloud_of(folder: Path, name: str = "default") -> LocalCloud:
    return LocalCloud(folder / ".groundwork" / "local" / name)


@pytest.fixture
def innocent() -> Iterator[psutil.Popen]:
    """A process that has nothing to do with any cloud."""
    with psutil.Popen(["sleep", "600"]) as process:
        yield process
        assert process.is_running()
        process.kill()


def left_in(folder: Path) -> list[psutil.Process]:
    """The processes that have anything to do with a folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if str(folder) in " ".join([*process.cmdline(), *process.environ().values()]):
                found.append(process)
        except psutil.Error:
            continue
    return [process for process in found if process.pid != os.getpid() and is_at_work(process)]


def test_of_two_that_start_one_cloud_one_wins_and_the_other_says_so(groundwork: Groundwork, tmp_path: Path) -> None:
    starts = [
        subprocess.Popen(command("up", "--name", "twin"), cwd=tmp_path, text=True, stdout=-1, stderr=-1)
        for _ in range(3)
    ]
    told = [start.communicate() for start in starts]
    assert sorted(start.returncode for start in starts) == [0, 2, 2]
    for start, (out, err) in zip(starts, told, strict=True):
        if start.returncode:
            assert out == ""
            assert str(cloud_of(tmp_path, "twin").folder) in err
            assert "just being started" in err or "already running at http://localhost:" in err
    assert groundwork("down", "--name", "twin").returncode == 0
    assert left_in(tmp_path) == []


def test_a_state_file_that_was_left_behind_stands_for_nothing(
    groundwork: Groundwork, tmp_path: Path, innocent: psutil.Popen
) -> None:
    folder = tmp_path / ".groundwork" / "local" / "left"
    folder.mkdir(parents=True)
    state = folder / "state.json"
    of_a_process = json.dumps({"pid": innocent.pid, "port": 9, "endpoint": "http://localhost:9"})
    commands = {"status": of_a_process, "env": of_a_process, "sweep": "", "deploy": "{", "destroy": "[1]"}
    for words, content in commands.items():
        state.write_text(content)
        done = groundwork(words, "--name", "left")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"Error: No local cloud is running in {folder}: start one with `")
        assert done.stderr.endswith(" local up --name left`.\n")
    state.write_text(of_a_process)
    assert groundwork("down", "--name", "left").returncode == 0
    assert not state.exists()
    assert groundwork("down", "--name", "left").returncode == 2
    state.write_text(of_a_process)
    assert groundwork("up", "--name", "left").returncode == 0
    assert cloud_of(tmp_path, "left").pid != innocent.pid


def test_a_cloud_that_was_killed_is_not_running_and_starts_again(
    groundwork: Groundwork, tmp_path: Path, innocent: psutil.Popen
) -> None:
    cloud = cloud_of(tmp_path)
    assert groundwork("up").returncode == 0
    endpoint = cloud.endpoint
    os.kill(cloud.pid, signal.SIGKILL)
    psutil.wait_procs(left_in(cloud.folder), timeout=30)
    (cloud.folder / lock.NAME).write_text(str(innocent.pid))  # as when the process id is another program's by now
    state = json.loads((cloud.folder / "state.json").read_text())
    (cloud.folder / "state.json").write_text(json.dumps(state | {"pid": innocent.pid}))
    for words in ("status", "env"):
        done = groundwork(words)
        assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    done = groundwork("down")
    assert (done.returncode, done.stdout) == (
        0,
        f"stopped the local cloud in {cloud.folder}, and removed what it left behind\n",
    )
    assert groundwork("up").returncode == 0
    assert cloud.endpoint != endpoint or cloud.pid != state["pid"]


@pytest.mark.parametrize("content", ["", "[1]", '{"pid": "all", "port": 9}'])
def test_a_damaged_state_of_a_running_cloud_is_one_clear_line_and_it_can_be_stopped(
    groundwork: Groundwork, tmp_path: Path, content: str
) -> None:
    cloud = cloud_of(tmp_path, "mine")
    assert groundwork("up", "--name", "mine").returncode == 0
    state = cloud.folder / "state.json"
    state.write_text(content)
    for words in ("status", "env", "up"):
        done = groundwork(words, "--name", "mine")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"Error: {state} is damaged: stop the cloud with `")
        assert done.stderr.endswith(" local down --name mine`.\n")
    assert groundwork("down", "--name", "mine").returncode == 0
    assert left_in(tmp_path) == []


def test_the_state_of_another_cloud_is_not_believed(groundwork: Groundwork, tmp_path: Path) -> None:
    mine, other = cloud_of(tmp_path, "mine"), cloud_of(tmp_path, "other")
    for name in ("mine", "other"):
        assert groundwork("up", "--name", name).returncode == 0
    (mine.folder / "state.json").write_bytes((other.folder / "state.json").read_bytes())
    for words in ("status", "env"):
        done = groundwork(words, "--name", "mine")
        assert (done.returncode, done.stdout) == (2, "")
        assert f"is not the local cloud in {mine.folder}" in done.stderr
    (mine.folder / "state.json").write_text(json.dumps({"pid": other.pid, "port": 9}))
    done = groundwork("env", "--name", "mine")
    assert (done.returncode, done.stdout) == (2, "")
    assert "does not answer at http://localhost:9" in done.stderr
    assert groundwork("down", "--name", "mine").returncode == 0
    assert groundwork("status", "--name", "other").returncode == 0


def test_a_process_that_only_reads_the_lock_is_not_taken_for_the_cloud(groundwork: Groundwork, tmp_path: Path) -> None:
    cloud = cloud_of(tmp_path)
    assert groundwork("up").returncode == 0
    with psutil.Popen(["tail", "-f", str(cloud.folder / lock.NAME)], stdout=subprocess.DEVNULL) as reader:
        assert groundwork("down").returncode == 0
        assert reader.is_running()
        reader.kill()
    assert not cloud.running


def test_a_cloud_that_hears_nothing_is_killed(
    groundwork: Groundwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = cloud_of(tmp_path)
    assert groundwork("up").returncode == 0
    os.kill(cloud.pid, signal.SIGSTOP)
    monkeypatch.setattr("localcloud.cloud.local_cloud.STOP_SECONDS", 1)
    assert cloud.stop()
    assert not cloud.running
    assert not (cloud.folder / "state.json").exists()


def test_a_cloud_without_its_folder_ends(tmp_path: Path, eventually: Callable[..., Any]) -> None:
    cloud = LocalCloud(tmp_path / "cloud")
    cloud.start(detached=True)
    server = psutil.Process(cloud.pid)
    cloud.folder.rename(tmp_path / "elsewhere")
    assert eventually(lambda: not is_at_work(server))


@pytest.mark.parametrize(("option", "name"), [([], "default"), (["--name", "mine"], "mine")])
def test_what_is_said_to_be_next_works(groundwork: Groundwork, tmp_path: Path, option: list[str], name: str) -> None:
    started = groundwork("up", *option)
    console, evaluation = started.stderr.strip().removeprefix("Look into it in a browser: ").splitlines()
    with urllib.request.urlopen(console.rstrip(), timeout=30) as response:  # noqa: S310 - on this machine
        assert b"no stack is deployed" in response.read()
    evaluation = evaluation.removeprefix("Use it from this shell: ")
    assert evaluation.endswith(f' local env{" --name mine" if option else ""})"')
    question = "import os; print(os.environ['AWS_ENDPOINT_URL'], os.environ.get('AWS_PROFILE'))"
    script = f"{evaluation}\n{shlex.quote(sys.executable)} -c {shlex.quote(question)}"
    shell = finished(["sh", "-ec", script], tmp_path, AWS_PROFILE="work")
    assert shell.stdout.split() == [cloud_of(tmp_path, name).endpoint, "None"], shell.stderr
    again = groundwork("up", *option)
    assert (again.returncode, again.stdout) == (2, "")
    cloud_of(tmp_path, name).stop()
    start = groundwork("status", *option).stderr.partition("`")[2].removesuffix("`.\n")
    assert finished(["sh", "-c", start], tmp_path).returncode == 0
    assert cloud_of(tmp_path, name).running


def test_a_cloud_without_a_name_is_reached_by_its_folder(groundwork: Groundwork, tmp_path: Path) -> None:
    with LocalCloud(tmp_path / "with a space") as cloud:
        said = f"stopped {cloud.endpoint}\n"
        assert groundwork(*shlex.split(cloud.command("down").partition(" local ")[2])).stdout == said
        assert not cloud.running


@pytest.mark.parametrize("name", ["../other", "/tmp/other", "a/b", "", ".hidden", "a b", "-x"])  # noqa: S108 - not made
def test_a_name_is_no_path(groundwork: Groundwork, tmp_path: Path, name: str) -> None:
    done = groundwork("up", f"--name={name}")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"Error: --name {name}: a cloud's name consists of")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("setting", ["profile", "damaged file"])
def test_a_cloud_needs_nothing_of_the_callers_own_settings_for_aws(
    groundwork: Groundwork, tmp_path: Path, setting: str
) -> None:
    (tmp_path / "config").write_text("[nonsense")
    mine = {"AWS_PROFILE": "work"} if setting == "profile" else {"AWS_CONFIG_FILE": str(tmp_path / "config")}
    assert groundwork("up", **mine).returncode == 0
    done = groundwork("status", **mine)
    assert (done.returncode, done.stderr) == (0, "")
    unset = groundwork("env", **mine, AWS_ENDPOINT_URL_DYNAMODB="https://aws").stdout.splitlines()[0].split()
    assert {"unset", "AWS_ENDPOINT_URL_DYNAMODB", *mine} <= set(unset)
    assert "AWS_ENDPOINT_URL_S3" not in unset


def submit(cloud: LocalCloud, script: str, number: int = 1) -> None:
    """Run a shell script as a Batch job, or as several."""
    batch, iam = cloud.client("batch"), cloud.client("iam")
    role = iam.create_role(RoleName="batch", AssumeRolePolicyDocument=trust("batch"))["Role"]["Arn"]
    environment = batch.create_compute_environment(
        computeEnvironmentName="cpu", type="UNMANAGED", state="ENABLED", serviceRole=role
    )
    order = [{"order": 1, "computeEnvironment": environment["computeEnvironmentArn"]}]
    batch.create_job_queue(jobQueueName="queue", state="ENABLED", priority=1, computeEnvironmentOrder=order)
    container = {"image": "any", "command": ["sh", "-c", script], "vcpus": 1, "memory": 128}
    batch.register_job_definition(jobDefinitionName="job", type="container", containerProperties=container)
    for _ in range(number):
        batch.submit_job(jobName="job-one", jobQueue="queue", jobDefinition="job")


def launch(cloud: LocalCloud, script: str) -> None:
    """Run a shell script as the user data of an instance that ends itself."""
    ec2 = cloud.client("ec2")
    image = ec2.describe_images()["Images"][0]["ImageId"]
    ec2.run_instances(
        ImageId=image,
        MinCount=1,
        MaxCount=1,
        InstanceType="t3.micro",
        UserData=f"#!/bin/bash\n{script}\n",
        InstanceInitiatedShutdownBehavior="terminate",
    )


@pytest.mark.parametrize("run", [submit, launch])
@pytest.mark.parametrize("end", ["down", "killed", "killed with all leashes"])
def test_nothing_that_a_cloud_has_started_outlives_it(
    groundwork: Groundwork, tmp_path: Path, eventually: Callable[..., Any], run: Callable[..., None], end: str
) -> None:
    cloud, file = cloud_of(tmp_path), tmp_path / "daemon"
    assert groundwork("up").returncode == 0
    run(cloud, f"{DAEMON.format(file)}; sleep 600")
    daemon = psutil.Process(int(eventually(lambda: file.exists() and file.read_text().strip())))
    server = psutil.Process(cloud.pid)
    started = server.children(recursive=True)
    assert daemon in started
    if end != "down":
        leashes = [process for process in started if "leash.py" in " ".join(command_line(process))]
        for process in [server, *(leashes if end == "killed with all leashes" else [])]:
            process.kill()
    if end != "killed":  # of those that lost their leashes, too, `down` takes care
        assert groundwork("down").returncode == 0
    _, alive = psutil.wait_procs(started, timeout=60)
    assert not any(map(is_at_work, alive))


@pytest.mark.parametrize("starts", ["by a command", "forked"])
def test_a_cloud_that_is_killed_at_work_leaves_no_process_and_starts_again_in_its_folder(
    groundwork: Groundwork, tmp_path: Path, eventually: Callable[..., Any], starts: str
) -> None:
    cloud, pids = cloud_of(tmp_path), tmp_path / "pids"
    pids.mkdir()
    other = LocalCloud(tmp_path / "other")  # what it has open must keep nothing of the first cloud alive
    with other, ThreadPoolExecutor(FUNCTIONS) as callers:
        if starts == "forked":
            cloud.start(detached=True)
        else:
            assert groundwork("up").returncode == 0
        server, number = psutil.Process(cloud.pid), FUNCTIONS if starts == "by a command" else 1
        functions = [function(cloud, WORKS, Timeout=600) for _ in range(number)]
        calls = [callers.submit(invoke, cloud, name, {"folder": str(pids)}) for name in functions]
        submit(cloud, f'sleep 600 & echo "$$ $!" > {pids}/$AWS_BATCH_JOB_ID; wait', JOBS)
        cloud.mailbox.mkdir(exist_ok=True)
        (cloud.mailbox / "mail.eml").write_text("To: you\n\nhello\n")
        assert eventually(lambda: len(pairs(pids)) == number + RUNNING_JOBS, 120)
        at_work = [psutil.Process(int(pid)) for pair in pairs(pids) for pid in pair]
        started = server.children(recursive=True)
        assert {*at_work} <= {*started}
        server.kill()
        _, alive = psutil.wait_procs(started, timeout=60)
        assert not any(map(is_at_work, alive))
        assert all(isinstance(call.exception(), BotoCoreError) for call in calls)
        assert groundwork("up").returncode == 0
    assert cloud.client("lambda").list_functions()["Functions"] == []  # what a cloud holds ends with it
    assert (cloud.mailbox / "mail.eml").read_text().endswith("hello\n")
    assert len(pairs(pids)) == number + RUNNING_JOBS
    again = function(cloud, "def handler(event, context): return event['number'] + 1")
    assert invoke(cloud, again, {"number": 1}) == 2


def pairs(folder: Path) -> list[list[str]]:
    """The pairs of process ids in the files of a folder."""
    return [pair for file in folder.iterdir() if len(pair := file.read_text().split()) == 2]


def marks(process: psutil.Process) -> set[Path]:
    """The marks of a process's temporary folders outside the cloud's."""
    return {Path(file.path) for file in process.open_files() if file.path.endswith(outside.MARK)}


def written(process: psutil.Process) -> set[Path]:
    """The files that a process and those that it has started have open for writing."""
    paths = set()
    for writer in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):  # it has ended meanwhile
            paths |= {Path(file.path) for file in writer.open_files() if file.mode != "r"}
    return {path for path in paths if path.parts[1] != "dev"}


def test_what_a_cloud_writes_lies_in_its_folder_is_its_owners_and_goes_with_it(
    groundwork: Groundwork, tmp_path: Path, eventually: Callable[..., Any]
) -> None:
    cloud, told, system = cloud_of(tmp_path), tmp_path / "told", tmp_path / "system"
    system.mkdir()
    assert groundwork("up", TMPDIR=str(system)).returncode == 0
    rds, influxdb = cloud.client("rds"), cloud.client("timestream-influxdb")
    for engine in ("mysql", "postgres"):
        options = {"Engine": engine, "DBInstanceClass": "db.t3.micro", "AllocatedStorage": 20, **ACCESS}
        rds.create_db_instance(DBInstanceIdentifier=engine, DBName="first", **options)
    cloud.client("neptune").create_db_cluster(DBClusterIdentifier="graph", Engine="neptune")
    network = {"vpcSubnetIds": ["subnet-1"], "vpcSecurityGroupIds": ["sg-1"]}
    size = {"allocatedStorage": 20, "dbInstanceType": "db.influx.medium"}
    influxdb.create_db_instance(
        name="fleet", username="boss", password=ACCESS["MasterUserPassword"], bucket="bucket", **network, **size
    )
    python = f"{shlex.quote(sys.executable)} -c 'import tempfile; print(tempfile.mkstemp()[1])'"
    submit(cloud, f"pwd > {told}; {python} >> {told}; echo end >> {told}; sleep 600")
    work, temporary, _ = eventually(lambda: told.exists() and "end" in told.read_text() and told.read_text().split())
    data = cloud.folder / "data"
    assert Path(work).is_relative_to(data)
    assert Path(temporary).resolve().is_relative_to(data)
    assert stat.S_IMODE(cloud.folder.stat().st_mode) == 0o700
    open_to_others = [
        path
        for path in cloud.folder.rglob("*")
        if path.is_dir() | path.is_file() and not path.is_symlink() and stat.S_IMODE(path.lstat().st_mode) & 0o077
    ]
    assert open_to_others == []
    assert len(list(data.glob("database-*/data/*"))) > 10
    server = psutil.Process(cloud.pid)
    assert len(written(server)) > 10
    assert {file for file in written(server) if not file.is_relative_to(cloud.folder)} <= {told, *marks(server)}
    assert list(system.iterdir()) == []
    java = [process.pid for process in server.children(recursive=True) if "neptune" in " ".join(process.cmdline())]
    assert not [file for file in Path("/tmp").glob("hsperfdata_*/*") if int(file.name) in java]  # noqa: S108
    assert groundwork("down").returncode == 0
    assert not data.exists()
    assert sum(path.stat().st_size for path in cloud.folder.rglob("*") if path.is_file()) < 1_000_000


def test_a_jobs_sockets_have_room_however_long_the_folders_path_is(
    tmp_path: Path, eventually: Callable[..., Any]
) -> None:
    told = tmp_path / "told"
    listen = "from multiprocessing.connection import Listener; print(Listener(family='AF_UNIX').address)"
    with LocalCloud(tmp_path / ("x" * 100)) as cloud:
        submit(cloud, f"{shlex.quote(sys.executable)} -c {shlex.quote(listen)} > {told}.new; mv {told}.new {told}")
        [mark] = marks(psutil.Process(cloud.pid))
        short = mark.parent
        address = eventually(lambda: told.exists() and told.read_text())
        assert Path(address).is_relative_to(short)
        assert (short / "tmp").readlink() == cloud.folder / "data" / "tmp"
        assert stat.S_IMODE(short.stat().st_mode) == 0o700
    assert not short.exists()


def test_a_damaged_certificate_authority_is_made_again(tmp_path: Path) -> None:
    for content in (b"", b"nonsense"):
        (tmp_path / "certificate-authority.pem").write_bytes(content)
        with LocalCloud(tmp_path) as cloud:
            assert b"BEGIN CERTIFICATE" in cloud.certificate_authority.read_bytes()


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LocalCloudError, match="file cannot be made: "):
        LocalCloud(tmp_path / "file").start()
    (tmp_path / "server.log").write_text("mine")
    with pytest.raises(LocalCloudError, match=r"server\.log is not a local cloud's"):
        LocalCloud(tmp_path).start()
    assert (tmp_path / "server.log").read_text() == "mine"
    (tmp_path / "cloud" / "state.json").mkdir(parents=True)
    with pytest.raises(LocalCloudError, match=r"state\.json cannot be removed: "):
        LocalCloud(tmp_path / "cloud").start()
    (tmp_path / "cloud" / "state.json").rmdir()
    (tmp_path / "cloud" / "data").mkdir(parents=True)
    (tmp_path / "cloud" / "data" / "thesis.tex").touch()
    with pytest.raises(LocalCloudError, match="data holds files of somebody else"):
        LocalCloud(tmp_path / "cloud").start()
    assert (tmp_path / "cloud" / "data" / "thesis.tex").exists()
