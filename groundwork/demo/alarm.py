"""The alarm drill: instances are lost, as expected and not; an e-mail is sent only when it matters."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from email import policy
from email.parser import BytesParser
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from contract.design import LIGHT, RIGHT, WRONG
from contract.stacks import StackName, TerminationAlarmOutput
from groundwork.demo.checklist import Checklist
from groundwork.demo.metrics import count_datapoints
from localcloud import LocalCloud

EMAIL = "you@example.com"


def drill(cloud: LocalCloud, report: Checklist, results: Path) -> None:
    """Lose instances: a scale-in stays silent, an unexpected termination ends in an e-mail."""
    outputs = cloud.outputs(StackName.TERMINATION_ALARM)
    group = outputs[TerminationAlarmOutput.AUTO_SCALING_GROUP_NAME]
    autoscaling = cloud.client("autoscaling")
    began = datetime.now(UTC)

    def terminations() -> list[dict[str, Any]]:
        return list(_log_lines(cloud, outputs[TerminationAlarmOutput.LOG_GROUP_NAME]))

    def counted() -> int:
        return count_datapoints(
            cloud, outputs[TerminationAlarmOutput.METRIC_NAMESPACE], outputs[TerminationAlarmOutput.METRIC_NAME], began
        )

    def alarm_state() -> str:
        alarms = cloud.client("cloudwatch").describe_alarms(AlarmNames=[outputs[TerminationAlarmOutput.ALARM_NAME]])
        return str(alarms["MetricAlarms"][0]["StateValue"])

    report.step("The group shrinks from two instances to one: no e-mail is sent")
    autoscaling.set_desired_capacity(AutoScalingGroupName=group, DesiredCapacity=2)
    report.await_promise("two instances run", lambda: len(_instances(autoscaling, group)) == 2)  # noqa: PLR2004
    autoscaling.set_desired_capacity(AutoScalingGroupName=group, DesiredCapacity=1)
    report.await_promise("one line is logged", lambda: len(terminations()) == 1)
    line = terminations()[0]
    report.line(json.dumps(line))
    report.promise("it says: scale-in, expected", held=line["class"] == "scale-in" and line["expected"])
    report.await_promise("the alarm has looked", lambda: alarm_state() == "OK")
    report.promise(
        "nothing is counted, no mail is sent", held=counted() == 0 and not _mails(cloud), seen=f"alarm {alarm_state()}"
    )

    report.step("Somebody terminates an instance: the alarm rings")
    terminated_id = _instances(autoscaling, group)[0]
    moments = [(0.0, "terminated")]
    terminated = datetime.now(UTC)

    def note(event: str) -> None:
        moments.append(((datetime.now(UTC) - terminated).total_seconds(), event))

    cloud.client("ec2").terminate_instances(InstanceIds=[terminated_id])
    report.await_promise("one more line is logged", lambda: len(terminations()) == 2)  # noqa: PLR2004
    note("logged")
    line = next(line for line in terminations() if line["instanceId"] == terminated_id)
    report.line(json.dumps(line))
    report.promise("it says: unexpected", held=not line["expected"], seen=line["class"])
    report.await_promise("the metric counts one", lambda: counted() == 1)
    note("counted")
    report.await_promise("the alarm is in ALARM", lambda: alarm_state() == "ALARM")
    note("alarm rings")
    mail = report.await_promise(
        f"a mail to {EMAIL} names the instance {terminated_id}",
        lambda: next((text for text in _mails(cloud) if terminated_id in text), None),
    )
    note("mail arrives")
    report.output(f"The mail to {EMAIL}", mail)
    path = results / "alarm" / "time_line.png"
    path.parent.mkdir()
    _time_line(moments).savefig(path, dpi=130)
    delays = ", ".join(f"{event} after {seconds:.1f} s" for seconds, event in moments[1:])
    report.picture(path, f"From an instance's termination to the mail: {delays}.")


def _time_line(moments: list[tuple[float, str]]) -> Figure:
    """Draw moments, in seconds, along a line."""
    figure = Figure(figsize=(7, 2.1), layout="constrained")
    axes = figure.add_subplot()
    axes.hlines(0, 0, moments[-1][0], color=LIGHT["network"], linewidth=2)
    for index, (seconds, event) in enumerate(moments):
        side = 1 if index % 2 == 0 else -1
        axes.plot(seconds, 0, "o", color=WRONG if event == "alarm rings" else RIGHT, markersize=9)
        axes.annotate(event, (seconds, 0), (0, side * 22), textcoords="offset points", ha="center", va="center")
    axes.set(ylim=(-1, 1), yticks=[], xlabel="seconds since the termination")
    axes.margins(x=0.12)
    axes.spines[["left", "right", "top"]].set_visible(False)
    return figure


def _instances(autoscaling: Any, group: str) -> list[str]:
    details = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[group])["AutoScalingGroups"][0]
    return [instance["InstanceId"] for instance in details["Instances"] if instance["LifecycleState"] == "InService"]


def _log_lines(cloud: LocalCloud, group: str) -> Iterator[dict[str, Any]]:
    """The structured lines of the termination logger."""
    pages = cloud.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
    for event in (event for page in pages for event in page["events"]):
        if event["message"].startswith("{"):
            line = json.loads(event["message"])
            if line.get("event") == "instance-terminated":
                yield line


def _mails(cloud: LocalCloud) -> list[str]:
    """Return every mail delivered so far, as text: headers and body."""
    texts = []
    for path in sorted(cloud.mailbox.glob("*.eml")):
        mail = BytesParser(policy=policy.default).parsebytes(path.read_bytes())
        body = mail.get_body(("plain",))
        texts.append(f"To: {mail['To']}\nSubject: {mail['Subject']}\n\n{body.get_content() if body else ''}")
    return texts
