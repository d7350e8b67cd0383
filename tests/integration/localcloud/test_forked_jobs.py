"""Jobs that are forked from a process which has imported what their image has: they differ from others in nothing."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from localcloud import LocalCloud, host
from localcloud.cloud.fork_server import may_fork
from tests.policies import trust
from tests.processes import fork_server_of, is_at_work, started_by

#: Says what a process is, as far as two of them may not differ in it.
STATE = """
import json, os, signal, sys, tempfile, threading
print(json.dumps({
    "arguments": sys.argv,
    "path": sys.path,
    "modules": sorted(sys.modules),
    "main": sorted({*vars(sys.modules["__main__"])} - {"__annotations__"}),
    "environment": dict(os.environ),
    "folder": os.getcwd(),
    "files": os.listdir(),
    "temporary": tempfile.gettempdir(),
    "input": sys.stdin.read(),
    "buffered": [sys.stdout.line_buffering, sys.stdout.write_through, sys.stderr.write_through],
    "encoding": [sys.stdout.encoding, sys.stderr.errors],
    "umask": os.umask(0o077),
    "blocked": [int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, [])],
    "handlers": [str(signal.getsignal(number)) for number in signal.valid_signals()],
    "threads": threading.active_count(),
    "session is its own": os.getsid(0) == os.getppid() or os.getsid(0) != os.getpid(),
}))
"""
#: A program that another replaces, as the loader of the code bundle is.
LOADER = """
import os, sys, wave
wave.of_the_loader = True
print("loads")
open("module.py", "w").write(os.environ["MODULE"])
os.makedirs("code")
os.environ["PYTHONPATH"] = os.path.abspath("code")
os.execv(sys.executable, [sys.executable, "-m", "module", *sys.argv[1:]])
"""
ENDS = {
    "import sys; sys.exit(75)": 75,
    "import sys; sys.exit('no')": 1,
    "1/0": 1,
    "import os; os.kill(os.getpid(), 9)": 137,
    "import os; os.kill(os.getpid(), 15)": 143,
    "import os; os._exit(3)": 3,
    "import atexit, os; atexit.register(os._exit, 4)": 4,
    "import threading, time; threading.Thread(target=lambda: (time.sleep(0.2), print('late'))).start()": 0,
}
MAY_FORK = [
    (["-c", "pass"], {"AWS_REGION": "us-east-1", "TMPDIR": "/tmp/1"}, True),  # noqa: S108 - a word
    (["-m", "module"], {"PYTHONPATH": "/code"}, True),
    (["program.py"], {}, False),
    (["-X", "dev"], {}, False),
    ([], {}, False),
    (["-c", "pass"], {"OMP_NUM_THREADS": "1"}, False),
    (["-c", "pass"], {"PYTHONHASHSEED": "0"}, False),
    (["-c", "pass"], {"CUDA_VISIBLE_DEVICES": ""}, False),
    (["-c", "pass"], {"LD_PRELOAD": "library.so"}, False),
]

Run = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """A cloud with an image in which `csv` takes long to import, and with a queue."""
    usual = host.current()
    host.use(replace(usual, prepared={"slow": ["csv"]}))
    try:
        with LocalCloud(tmp_path_factory.mktemp("cloud")) as running:
            batch, iam = running.client("batch"), running.client("iam")
            role = iam.create_role(RoleName="batch", AssumeRolePolicyDocument=trust("batch"))["Role"]["Arn"]
            environment = batch.create_compute_environment(
                computeEnvironmentName="cpu", type="UNMANAGED", state="ENABLED", serviceRole=role
            )
            order = [{"order": 1, "computeEnvironment": environment["computeEnvironmentArn"]}]
            batch.create_job_queue(jobQueueName="queue", state="ENABLED", priority=1, computeEnvironmentOrder=order)
            yield running
    finally:
        host.use(usual)


@pytest.fixture
def submit(cloud: LocalCloud) -> Callable[..., str]:
    """Submits a job that runs text as Python; gives its id."""

    def run(image: str, text: str, *arguments: str, **environment: str) -> str:
        batch = cloud.client("batch")
        variables = [{"name": name, "value": value} for name, value in environment.items()]
        command = ["python", "-c", text, *arguments]
        container = {"image": image, "command": command, "environment": variables, "vcpus": 1, "memory": 128}
        batch.register_job_definition(jobDefinitionName=image, type="container", containerProperties=container)
        return str(batch.submit_job(jobName="job-one", jobQueue="queue", jobDefinition=image)["jobId"])

    return run


@pytest.fixture
def run(cloud: LocalCloud, submit: Callable[..., str], eventually: Any) -> Run:
    """Runs text as Python in a job of an image; its exit code, and the lines that it prints."""

    def wait(image: str, text: str, *arguments: str, **environment: str) -> dict[str, Any]:
        job = submit(image, text, *arguments, **environment)
        described = eventually(lambda: ended(cloud, job))
        stream = described["container"]["logStreamName"]
        written = cloud.client("logs").get_log_events(logGroupName="/aws/batch/job", logStreamName=stream)["events"]
        return {"code": described["container"]["exitCode"], "lines": [event["message"] for event in written]}

    return wait


def ended(cloud: LocalCloud, job: str) -> dict[str, Any] | None:
    """A job's description once it has ended."""
    described: dict[str, Any] = cloud.client("batch").describe_jobs(jobs=[job])["jobs"][0]
    return described if described["status"] in ("SUCCEEDED", "FAILED") else None


def without_what_differs(state: dict[str, Any], prepared: set[str]) -> dict[str, Any]:
    """What two processes have in common: their folders and jobs have names of their own."""
    folder = state["environment"]["TMPDIR"]
    names = {key: value for key, value in state["environment"].items() if key.startswith(("AWS_BATCH", "AWS_EC2"))}
    text = json.dumps(state | {"modules": sorted({*state["modules"]} - prepared)}).replace(folder, "FOLDER")
    for name, value in names.items():
        text = text.replace(json.dumps(value), json.dumps(name))
    same: dict[str, Any] = json.loads(text)
    return same


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere every job is a process of its own")
def test_a_forked_job_differs_from_another_only_in_what_is_imported(cloud: LocalCloud, run: Run) -> None:
    forked, plain = (json.loads(run(image, STATE, "one", "two")["lines"][0]) for image in ("slow", "plain"))
    assert "csv" in forked["modules"]
    assert "csv" not in plain["modules"]
    assert not [module for module in forked["modules"] if module.startswith("localcloud")]
    prepared = {*forked["modules"]} - {*plain["modules"]}
    assert without_what_differs(forked, prepared) == without_what_differs(plain, prepared)
    assert fork_server_of(cloud).is_running()


@pytest.mark.parametrize(("text", "code"), ENDS.items())
def test_a_forked_job_ends_as_another_does(run: Run, text: str, code: int) -> None:
    forked, plain = (run(image, f"print('begins')\n{text}") for image in ("slow", "plain"))
    assert forked["code"] == code
    if "1/0" in text:
        assert forked["lines"][-1] == plain["lines"][-1] == "ZeroDivisionError: division by zero"
    else:
        assert forked == plain


def test_a_job_that_replaces_itself_begins_anew_in_the_same_process(run: Run) -> None:
    text = STATE.replace("import json", "import json, atexit").replace(
        "print(json.dumps({", 'atexit.register(print, "ends"); print(json.dumps({ "module": __spec__.name,'
    )
    forked, plain = (run(image, LOADER, "argument", MODULE=text) for image in ("slow", "plain"))
    assert (forked["code"], plain["code"]) == (0, 0)
    assert [line for line in forked["lines"] if "{" not in line] == ["loads", "ends"]
    states = [json.loads(next(line for line in done["lines"] if "{" in line)) for done in (forked, plain)]
    assert "csv" in states[0]["modules"]
    assert not [module for module in states[0]["modules"] if module == "wave"]
    prepared = {*states[0]["modules"]} - {*states[1]["modules"]}
    assert without_what_differs(states[0], prepared) == without_what_differs(states[1], prepared)


def test_forked_jobs_draw_other_random_numbers(run: Run) -> None:
    text = "import random; print(random.random())"
    assert run("slow", text)["lines"] != run("slow", text)["lines"]


def test_a_variable_that_is_read_when_python_starts_holds_in_a_job(run: Run) -> None:
    text = "import sys; print('csv' in sys.modules, sys.flags.optimize)"
    assert run("slow", text, PYTHONOPTIMIZE="2")["lines"] == ["False 2"]


@pytest.mark.parametrize(("arguments", "differing", "may"), MAY_FORK)
def test_a_process_is_forked_only_if_a_new_one_would_be_the_same(
    arguments: list[str], differing: dict[str, str], may: bool
) -> None:
    usual = {"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1"}
    assert may_fork(arguments, usual | differing, usual) is may


@pytest.mark.parametrize("when", ["before it replaces itself", "after it has replaced itself"])
def test_a_forked_job_is_told_to_end_and_all_that_it_has_started_ends(
    cloud: LocalCloud, submit: Callable[..., str], tmp_path: Path, eventually: Any, when: str
) -> None:
    begun, told = tmp_path / "begun", tmp_path / "told"
    text = (
        "import os, pathlib, signal, subprocess, sys, time\n"
        f"signal.signal(signal.SIGTERM, lambda *_: (pathlib.Path({str(told)!r}).touch(), sys.exit(75)))\n"
        "child = subprocess.Popen(['sh', '-c', \"trap '' TERM; setsid sleep 600 & sleep 600\"])\n"
        f"pathlib.Path({str(begun)!r}).write_text(f'{{os.getpid()}} {{child.pid}} ')\n"
        "time.sleep(600)\n"
    )
    job = submit("slow", text) if when.startswith("before") else submit("slow", LOADER, MODULE=text)
    started = [
        psutil.Process(int(number)) for number in eventually(lambda: begun.exists() and begun.read_text().split())
    ]
    cloud.client("batch").terminate_job(jobId=job, reason="enough")
    described = eventually(lambda: ended(cloud, job))
    assert (described["statusReason"], described["container"]["exitCode"]) == ("enough", 75)
    assert told.exists()
    assert eventually(lambda: not any(map(is_at_work, started)))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere every job is a process of its own")
def test_when_the_process_that_forks_was_killed_the_next_job_gets_another(
    cloud: LocalCloud, run: Run, eventually: Any
) -> None:
    assert run("slow", "print(1)")["lines"] == ["1"]
    killed = fork_server_of(cloud)
    killed.send_signal(signal.SIGKILL)
    psutil.wait_procs([killed])
    assert run("slow", "print(2)")["lines"] == ["2"]
    assert eventually(lambda: run("slow", "import sys; print('csv' in sys.modules)")["lines"] == ["True"])
    assert fork_server_of(cloud) != killed


def test_jobs_leave_no_process_and_no_open_file(cloud: LocalCloud, run: Run, eventually: Any) -> None:
    run("slow", "print(1)")
    fork_server = fork_server_of(cloud)
    lasting = {fork_server, fork_server.parent()}
    assert eventually(lambda: started_by(cloud) == lasting)
    files = psutil.Process(cloud.pid).num_fds()
    for _ in range(10):
        run("slow", "print(1)")
    assert eventually(lambda: started_by(cloud) == lasting)
    assert psutil.Process(cloud.pid).num_fds() <= files + 2  # a connection that a client keeps
