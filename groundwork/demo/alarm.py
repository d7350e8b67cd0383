"""The alarm drill: instances are lost, as expected and not; somebody is told only when it matters."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from email import policy
from email.parser import BytesParser
from typing import Any

from groundwork.demo.checklist import Checklist
from groundwork.demo.metrics import count_datapoints
from localcloud import LocalCloud


def drill(cloud: LocalCloud, report: Checklist, email: str) -> None:
    """Lose instances: a scale-in stays silent, an unexpected termination ends in an e-mail."""
    outputs = cloud.outputs("TerminationAlarm")
    group = outputs["AutoScalingGroupName"]
    autoscaling = cloud.client("autoscaling")
    began = datetime.now(UTC)

    def terminations() -> list[dict[str, Any]]:
        return list(_log_lines(cloud, outputs["LogGroupName"]))

    def counted() -> int:
        return count_datapoints(cloud, outputs["MetricNamespace"], outputs["MetricName"], began)

    def alarm_state() -> str:
        alarms = cloud.client("cloudwatch").describe_alarms(AlarmNames=[outputs["AlarmName"]])
        return str(alarms["MetricAlarms"][0]["StateValue"])

    report.step("The group shrinks from two instances to one: nobody is told")
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
    lost = _instances(autoscaling, group)[0]
    cloud.client("ec2").terminate_instances(InstanceIds=[lost])
    report.await_promise("one more line is logged", lambda: len(terminations()) == 2)  # noqa: PLR2004
    line = next(line for line in terminations() if line["instanceId"] == lost)
    report.line(json.dumps(line))
    report.promise("it says: unexpected", held=not line["expected"], seen=line["class"])
    report.await_promise("the metric counts one", lambda: counted() == 1)
    report.await_promise("the alarm is in ALARM", lambda: alarm_state() == "ALARM")
    mail = report.await_promise(
        f"a mail to {email} names the instance {lost}",
        lambda: next((text for text in _mails(cloud) if lost in text), None),
    )
    for text in mail.splitlines():
        report.line(text)


def _instances(autoscaling: Any, group: str) -> list[str]:
    found = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[group])["AutoScalingGroups"][0]
    return [instance["InstanceId"] for instance in found["Instances"] if instance["LifecycleState"] == "InService"]


def _log_lines(cloud: LocalCloud, group: str) -> Iterator[dict[str, Any]]:
    """The structured lines of the termination logger."""
    for event in cloud.client("logs").filter_log_events(logGroupName=group)["events"]:
        if event["message"].startswith("{"):
            line = json.loads(event["message"])
            if line.get("event") == "instance-terminated":
                yield line


def _mails(cloud: LocalCloud) -> list[str]:
    """Every mail delivered so far, as text: headers and body."""
    texts = []
    for path in sorted(cloud.mailbox.glob("*.eml")):
        mail = BytesParser(policy=policy.default).parsebytes(path.read_bytes())
        body = mail.get_body(("plain",))
        texts.append(f"To: {mail['To']}\nSubject: {mail['Subject']}\n\n{body.get_content() if body else ''}")
    return texts
