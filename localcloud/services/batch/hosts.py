"""The instances that Batch jobs run on: each has room for one job at a time, and takes the next one when it ends.

An instance that EC2 takes back is still there for two minutes. The container agent of ECS takes no new job then, but
only if the user data of the instance says so; without that, a job that is tried again lands on the same instance.

moto gaps: jobs run nowhere; the user data of a compute environment's launch template is not looked at, and an update of
a compute environment changes nothing.
"""

from __future__ import annotations

import base64
import email
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from moto.batch.exceptions import ClientException
from moto.batch.models import BatchBackend, Job
from moto.ec2.models import ec2_backends

from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.cloud.context import Cloud
from localcloud.hooks import wrap
from localcloud.services.batch import queues as job_queues

#: The setting that makes the agent drain a spot instance before its end; it is off by default.
#: See https://docs.aws.amazon.com/AmazonECS/latest/developerguide/spot-instance-draining-linux-container.html.
DRAINING = re.compile(r"\bECS_ENABLE_SPOT_INSTANCE_DRAINING=[\"']?true\b")
AGENT_SETTINGS = "/etc/ecs/ecs.config"


@dataclass
class Host:
    """An instance of a compute environment.

    Attributes:
        environment: ARN of the compute environment.
        drains: Whether its agent takes no new job once EC2 has said that it takes the instance back.
        identifier: The instance's id.
        deadline: When EC2 takes it, by the monotonic clock, in seconds; None while nobody has said so.
        time: The same moment, for people.
    """

    environment: str
    drains: bool
    identifier: str = field(default_factory=lambda: f"i-{uuid4().hex[:17]}")
    deadline: float | None = None
    time: datetime | None = None

    @property
    def is_gone(self) -> bool:
        """Whether EC2 has taken it."""
        return self.deadline is not None and time.monotonic() > self.deadline

    @property
    def takes_jobs(self) -> bool:
        """Whether Batch may start a job here."""
        return not self.is_gone and not (self.drains and self.deadline is not None)

    def notify(self, seconds: float) -> None:
        """Say that EC2 takes it back in some seconds."""
        self.deadline = time.monotonic() + seconds
        self.time = datetime.now(UTC) + timedelta(seconds=seconds)


@dataclass
class Hosts:
    """The instances of the cloud.

    Attributes:
        lock: Guards the rest.
        idle: Those that run nothing, the one that was busy last at the end.
        busy: The others, by the id of the job that runs there.
    """

    lock: threading.Lock = field(default_factory=threading.Lock)
    idle: list[Host] = field(default_factory=list)
    busy: dict[str, Host] = field(default_factory=dict)


def take(cloud: Cloud, job: Job) -> Host:
    """Return an instance for an attempt of a job: the one that was busy last, or a new one."""
    environment = job_queues.environment(job)
    hosts = cloud.state(Hosts)
    with hosts.lock:
        hosts.idle[:] = [host for host in hosts.idle if host.takes_jobs]
        host = next((host for host in reversed(hosts.idle) if host.environment == environment.arn), None)
        if host:
            hosts.idle.remove(host)
        else:
            host = Host(environment.arn, _drains(environment.compute_resources or {}))
        hosts.busy[job.job_id] = host
    return host


def leave(cloud: Cloud, job_id: str) -> None:
    """End an attempt; the next job may have its instance."""
    hosts = cloud.state(Hosts)
    with hosts.lock:
        hosts.idle.append(hosts.busy.pop(job_id))


def of(cloud: Cloud, job_id: str) -> Host | None:
    """Return the instance on which a job runs; None while it does not run."""
    return cloud.state(Hosts).busy.get(job_id)


def _drains(resources: Mapping[str, Any]) -> bool:
    """Return whether the instances' user data turns draining on."""
    mime_parts = email.message_from_string(_user_data(resources)).walk()
    scripts = [
        str(mime_part.get_payload()) for mime_part in mime_parts if mime_part.get_content_type() == "text/x-shellscript"
    ]
    return any(DRAINING.search(script) and AGENT_SETTINGS in script for script in scripts)


def _user_data(resources: Mapping[str, Any]) -> str:
    """Return the user data of a compute environment's launch template; empty if it has none."""
    specification = resources.get("launchTemplate")
    if not specification:
        return ""
    ec2 = ec2_backends[ACCOUNT][REGION]
    if "launchTemplateId" in specification:
        template = ec2.get_launch_template(specification["launchTemplateId"])
    else:
        template = ec2.get_launch_template_by_name(specification["launchTemplateName"])
    encoded = template.get_version(specification.get("version") or "$Default").user_data
    return base64.b64decode(str(encoded)).decode() if encoded else ""


def _check(resources: Mapping[str, Any] | None) -> None:
    """Refuse user data that Batch cannot join with its own.

    See https://docs.aws.amazon.com/batch/latest/userguide/launch-templates.html.

    Raises:
        ClientException: It is not a MIME multipart archive. (AWS says so in the status of the environment, as INVALID.)
    """
    text = _user_data(resources or {})
    if text and not email.message_from_string(text).is_multipart():
        raise ClientException("Launch Template UserData is not MIME multipart format")


@wrap(BatchBackend, "create_compute_environment")
def _create(original: Any, self: BatchBackend, **environment: Any) -> Any:
    _check(environment["compute_resources"])
    return original(self, **environment)


@wrap(BatchBackend, "update_compute_environment")
def _update(original: Any, self: BatchBackend, **changes: Any) -> Any:
    resources = changes["compute_resources"] or {}
    _check(resources)
    result = original(self, **changes)
    environment = self.get_compute_environment(changes["compute_environment_name"])
    if resources and environment:
        environment.compute_resources = {**(environment.compute_resources or {}), **resources}
    return result
