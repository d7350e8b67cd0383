"""EC2 instances that end themselves: their user data is run, as a process; what it starts in containers, too.

moto gap: user data is kept, and never run. Instances that stay (servers) do not boot here either; one whose shutdown
terminates it comes to do some work and go, so it does. `instance_programs.py` plays what the instance would have: its
metadata, Docker and its power switch; folders of the machine are folders of its own.
"""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import shlex
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from subprocess import Popen
from typing import Any
from urllib.parse import unquote, urlsplit

from moto.ec2.models.instances import Instance, InstanceBackend, Reservation

from localcloud.access import resources, service_calls, sessions
from localcloud.cloud import processes
from localcloud.cloud.context import Cloud, log
from localcloud.hooks import address, after
from localcloud.services.batch import containers as job_containers
from localcloud.services.batch import reclaim

PROGRAMS = Path(__file__).with_name("instance_programs.py")
GRACE = 10  # seconds, which Docker gives its containers
MACHINE_FOLDERS = re.compile(r"(?<![\w.:$/])/(etc|var)/")

#: Where an instance keeps the data of its launch template.
TEMPLATE = "launch_template_data"
#: What a program of an instance gets from its metadata service, and not from its environment.
CREDENTIALS = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_EC2_METADATA_DISABLED"}


@dataclass
class Roles:
    """The roles of running instances, with their ids, by the secret in the address of their metadata service."""

    by_secret: dict[str, tuple[str, str]] = field(default_factory=dict)


@after(InstanceBackend, "run_instances")
def _run(cloud: Cloud, reservation: Reservation, backend: InstanceBackend, *_args: Any, **options: Any) -> None:
    template = options.get("launch_template")
    defined = backend._get_template_from_args(template).data if template else {}  # noqa: SLF001 - moto's way to it
    shutdown_behavior = options.get("instance_initiated_shutdown_behavior")
    if (shutdown_behavior or defined.get("InstanceInitiatedShutdownBehavior")) != "terminate":
        return
    for instance in reservation.instances:
        instance.__dict__[TEMPLATE] = defined
        if instance.user_data:
            threading.Thread(target=_live, args=(cloud, instance), daemon=True, name=instance.id).start()


def _live(cloud: Cloud, instance: Instance) -> None:
    """Run the user data until it ends, or the instance is terminated; the script itself says when to switch off."""
    switched_off = True
    try:
        with tempfile.TemporaryDirectory(prefix="i-") as machine:
            _run_user_data(cloud, instance, Path(machine))
            switched_off = (Path(machine) / "poweroff").exists()
    except Exception:  # noqa: BLE001 - whatever it is, the instance must not stay
        log.exception("instance %s", instance.id)
    if switched_off:
        cloud.client("ec2").terminate_instances(InstanceIds=[instance.id])


def _run_user_data(cloud: Cloud, instance: Instance, root: Path) -> None:
    text = base64.b64decode(str(instance.user_data)).decode()  # in a template's first version it is not a plain string
    (root / "user-data").write_text(MACHINE_FOLDERS.sub(lambda match: f"{root}/{match[1]}/", text))
    (root / "metadata.json").write_text(json.dumps(_metadata(instance)))
    _programs(root / "bin")
    (root / "tmp").mkdir()
    command = ["bash", str(root / "user-data")]
    process = processes.start(command, folder=root, environment=_environment(cloud, root, instance), grace=GRACE)
    threading.Thread(target=_log, args=(instance, process), daemon=True).start()
    while process.poll() is None and instance.state != "terminated":
        time.sleep(0.1)
    processes.end(process, patience=GRACE + 5)  # with its descendants; a training writes a checkpoint first


def _metadata(instance: Instance) -> dict[str, str]:
    """Return what the instance's metadata service would answer, by path."""
    tags = {f"tags/instance/{tag['key']}": tag["value"] for tag in instance.get_tags()}
    return {"instance-id": instance.id, **tags}


def _programs(place: Path) -> None:
    place.mkdir()
    for name in ("aws", "curl", "docker", "shutdown"):
        command = shlex.join([sys.executable, "-I", str(PROGRAMS), name])
        (place / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        (place / name).chmod(0o700)


def _environment(cloud: Cloud, root: Path, instance: Instance) -> dict[str, str]:
    return {
        **job_containers.inherited(),
        "PATH": os.pathsep.join((str(root / "bin"), str(Path(sys.executable).parent), os.environ["PATH"])),
        **_with_credentials(cloud, instance),
        "MACHINE": str(root),
        "TMPDIR": str(root / "tmp"),
    }


def _with_credentials(cloud: Cloud, instance: Instance) -> dict[str, str]:
    """Return how programs of the instance reach the cloud: as its role, whose credentials its metadata service has."""
    role = resources.find("iam/role-of-profile", _profile(instance))
    if not role or not sessions.exists(role):
        return cloud.environment()
    secret = secrets.token_urlsafe(32)
    cloud.state(Roles).by_secret[secret] = (role, instance.id)
    kept = {name: value for name, value in cloud.environment().items() if name not in CREDENTIALS}
    return kept | {
        "AWS_EC2_METADATA_DISABLED": "false",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": f"{cloud.endpoint}{reclaim.METADATA_PATH}{secret}/",
    }


def _profile(instance: Instance) -> str:
    """Return the instance profile that the instance, or its launch template, names."""
    profile = instance.iam_instance_profile or instance.__dict__.get(TEMPLATE, {}).get("IamInstanceProfile") or ""
    if isinstance(profile, dict):
        lowered = {name.lower(): value for name, value in profile.items()}
        profile = lowered.get("arn") or lowered.get("name") or ""
    return str(profile)


@address(f"{{0}}{reclaim.METADATA_PATH}(?P<secret>[^/]+)/latest/meta-data/iam/security-credentials/(?P<role>[^/]*)$")
def _security_credentials(cloud: Cloud, request: Any, full_url: str, _headers: Any) -> tuple[int, dict[str, str], str]:
    """The name of the instance's role, and by it the credentials.

    Source: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html
    """
    if request.headers.get("X-aws-ec2-metadata-token") != reclaim.TOKEN:
        return HTTPStatus.UNAUTHORIZED, {}, ""
    path = urlsplit(full_url).path.split("/")
    role, instance = cloud.state(Roles).by_secret.get(unquote(path[3]), ("", ""))
    if not role or path[-1] not in {"", role.rpartition("/")[2]}:
        return HTTPStatus.NOT_FOUND, {}, ""
    if not path[-1]:
        return HTTPStatus.OK, {}, role.rpartition("/")[2]
    try:
        service_calls.check_trust(cloud, "ec2.amazonaws.com", role)
    except PermissionError as error:
        return HTTPStatus.OK, {}, json.dumps({"Code": "AssumeRoleUnauthorizedAccess", "Message": str(error)})
    session = sessions.assume(cloud, role, instance)
    if session is None:
        return HTTPStatus.NOT_FOUND, {}, ""
    document = {
        "Code": "Success",
        "Type": "AWS-HMAC",
        "LastUpdated": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "AccessKeyId": session.access_key_id,
        "SecretAccessKey": session.secret_access_key,
        "Token": session.session_token,
        "Expiration": f"{session.expiration:%Y-%m-%dT%H:%M:%SZ}",
    }
    return HTTPStatus.OK, {}, json.dumps(document)


def _log(instance: Instance, process: Popen[bytes]) -> None:
    """What an instance says on its console goes into the cloud's log."""
    for line in process.stdout or ():
        log.info("instance %s: %s", instance.id, line.decode(errors="replace").rstrip())
