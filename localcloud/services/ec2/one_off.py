"""EC2 instances that end themselves: their user data is run, as a process; what it starts in containers, too.

moto gap: user data is kept, and never run. Instances that stay (servers) do not boot here either; one whose shutdown
terminates it comes to do some work and go, so it does. `instance_programs.py` plays what the instance would have: its
metadata, Docker and its power switch; folders of the machine are folders of its own.
"""

import base64
import json
import os
import re
import shlex
import sys
import tempfile
import threading
import time
from pathlib import Path
from subprocess import Popen
from typing import Any

from moto.ec2.models.instances import Instance, InstanceBackend, Reservation

from localcloud.cloud import processes
from localcloud.cloud.context import Cloud, log
from localcloud.hooks import after
from localcloud.services.batch import containers as job_containers

PROGRAMS = Path(__file__).with_name("instance_programs.py")
GRACE = 10  # seconds, which Docker gives its containers
MACHINE_FOLDERS = re.compile(r"(?<![\w.:$/])/(etc|var)/")


@after(InstanceBackend, "run_instances")
def _run(cloud: Cloud, reservation: Reservation, backend: InstanceBackend, *_args: Any, **options: Any) -> None:
    template = options.get("launch_template")
    defined = backend._get_template_from_args(template).data if template else {}  # noqa: SLF001 (moto's way to it)
    asked = options.get("instance_initiated_shutdown_behavior")
    if (asked or defined.get("InstanceInitiatedShutdownBehavior")) != "terminate":
        return
    for instance in reservation.instances:
        if instance.user_data:
            threading.Thread(target=_live, args=(cloud, instance), daemon=True, name=instance.id).start()


def _live(cloud: Cloud, instance: Instance) -> None:
    """Run the user data until it ends, or the instance is terminated; the script itself says when to switch off."""
    switched_off = True
    try:
        with tempfile.TemporaryDirectory(prefix="i-") as machine:
            _run_user_data(cloud, instance, Path(machine))
            switched_off = (Path(machine) / "poweroff").exists()
    except Exception:  # noqa: BLE001 (whatever it is, the instance must not stay)
        log.exception("instance %s", instance.id)
    if switched_off:
        cloud.client("ec2").terminate_instances(InstanceIds=[instance.id])


def _run_user_data(cloud: Cloud, instance: Instance, root: Path) -> None:
    text = base64.b64decode(str(instance.user_data)).decode()  # a template's first version holds it as an object
    (root / "user-data").write_text(MACHINE_FOLDERS.sub(lambda found: f"{root}/{found[1]}/", text))
    (root / "metadata.json").write_text(json.dumps(_metadata(instance)))
    _programs(root / "bin")
    (root / "tmp").mkdir()
    command = ["bash", str(root / "user-data")]
    process = processes.start(command, folder=root, environment=_environment(cloud, root), grace=GRACE)
    threading.Thread(target=_log, args=(instance, process), daemon=True).start()
    while process.poll() is None and instance.state != "terminated":
        time.sleep(0.1)
    processes.end(process, patience=GRACE + 5)  # with all that it has started: a training writes a checkpoint first


def _metadata(instance: Instance) -> dict[str, str]:
    """What the instance's metadata service would answer, by path."""
    tags = {f"tags/instance/{tag['key']}": tag["value"] for tag in instance.get_tags()}
    return {"instance-id": instance.id, **tags}


def _programs(place: Path) -> None:
    place.mkdir()
    for name in ("curl", "docker", "shutdown"):
        command = shlex.join([sys.executable, "-I", str(PROGRAMS), name])
        (place / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        (place / name).chmod(0o700)


def _environment(cloud: Cloud, root: Path) -> dict[str, str]:
    return {
        **{name: os.environ[name] for name in job_containers.INHERITED if name in os.environ},
        "PATH": os.pathsep.join((str(root / "bin"), str(Path(sys.executable).parent), os.environ["PATH"])),
        **cloud.environment(),
        "MACHINE": str(root),
        "TMPDIR": str(root / "tmp"),
    }


def _log(instance: Instance, process: Popen[bytes]) -> None:
    """What an instance says on its console goes into the cloud's log."""
    for line in process.stdout or ():
        log.info("instance %s: %s", instance.id, line.decode(errors="replace").rstrip())
