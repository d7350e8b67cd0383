"""Measure the time from a termination to the mail that names the instance: `python benchmarks/alarm.py [--drills 5]`.

TerminationAlarm is deployed to a local cloud with its default settings. A drill terminates an instance of the group
and waits for the mail; the next begins when the alarm is OK again and the group is whole: in a period or so.

The local cloud shortens what AWS takes its time for: an instance is gone at once, nothing waits in a queue, and the
alarm is evaluated every second over a window that ends now. What remains is the work of rule, functions, filter, alarm
and topic. For AWS the alarm's settings give the time from the metric's datapoint to ALARM: the periods that must
breach, the last of them up to its end, and the next evaluation, of which there is one a minute. Instances take longer
to go, and AWS promises no time for delivering an event, a log line, a metric or a mail.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from measurement import circumstances, record, spread

from contract.stacks import StackName, TerminationAlarmOutput
from localcloud import LocalCloud

if TYPE_CHECKING:
    from collections.abc import Callable

PROJECT = Path(__file__).parents[1]
STACK = StackName.TERMINATION_ALARM
EVALUATION_SECONDS = 60  # CloudWatch's, of alarms whose period is a minute or longer
PATIENCE_SECONDS = 300


def main() -> None:
    """Measure, print, and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--drills", type=int, default=5)
    drills = parser.parse_args().drills
    with tempfile.TemporaryDirectory() as folder, LocalCloud(Path(folder), project=PROJECT) as cloud:
        cloud.deploy(STACK, context={"termination_alarm.email": "you@example.com"})
        outputs = cloud.outputs(STACK)
        moments = []
        for number in range(drills):
            moments.append(drill(cloud, outputs))
            print(
                f"drill {number + 1}: " + ", ".join(f"{what} {at:.2f} s" for what, at in moments[-1].items()),
                flush=True,
            )
        settings = watched(cloud, outputs)
    record(
        "alarm",
        circumstances("moto", "boto3")
        | {
            "drills": drills,
            "seconds_since_termination": {what: spread([moment[what] for moment in moments], 2) for what in moments[0]},
            "aws": on_aws(settings),
        },
    )


def drill(cloud: LocalCloud, outputs: dict[str, str]) -> dict[str, float]:
    """Terminate an instance, and return the seconds until its line, the alarm and the mail that names it."""
    wait("the alarm to be OK", lambda: watched(cloud, outputs)["StateValue"] == "OK", every=1)
    lost = wait(
        "an instance", lambda: in_service(cloud, outputs[TerminationAlarmOutput.AUTO_SCALING_GROUP_NAME]), every=1
    )
    began = time.time()
    cloud.client("ec2").terminate_instances(InstanceIds=[lost])
    mail: Path = wait("the mail", lambda: next((m for m in new_mails(cloud, began) if lost in m.read_text()), None))
    group = outputs[TerminationAlarmOutput.LOG_GROUP_NAME]
    pages = cloud.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
    events = (event for page in pages for event in page["events"])
    line = next(event["timestamp"] for event in events if lost in event["message"] and event["message"].startswith("{"))
    rang = watched(cloud, outputs)["StateUpdatedTimestamp"].timestamp()
    return {"line": line / 1000 - began, "alarm": rang - began, "mail": mail.stat().st_mtime - began}


def wait(what: str, look: Callable[[], Any], every: float = 0.01) -> Any:
    """Wait until `look` returns something true, and return that.

    Raises:
        RuntimeError: It has returned nothing for five minutes.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (result := look()):
        if time.monotonic() > deadline:
            raise RuntimeError(f"Waited too long for {what}.")
        time.sleep(every)
    return result


def new_mails(cloud: LocalCloud, since: float) -> list[Path]:
    """Return the mails that were delivered since a moment."""
    return [mail for mail in cloud.mailbox.glob("*.eml") if mail.stat().st_mtime >= since]


def in_service(cloud: LocalCloud, group: str) -> str | None:
    """Return the id of an instance of the group, or None if it has none."""
    description = cloud.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[group])
    instances = description["AutoScalingGroups"][0]["Instances"]
    return next((instance["InstanceId"] for instance in instances if instance["LifecycleState"] == "InService"), None)


def watched(cloud: LocalCloud, outputs: dict[str, str]) -> dict[str, Any]:
    """Return the alarm as CloudWatch describes it."""
    description: dict[str, Any] = cloud.client("cloudwatch").describe_alarms(
        AlarmNames=[outputs[TerminationAlarmOutput.ALARM_NAME]]
    )
    alarm: dict[str, Any] = description["MetricAlarms"][0]
    return alarm


def on_aws(alarm: dict[str, Any]) -> dict[str, Any]:
    """Return the seconds from the metric's datapoint to ALARM that an alarm's settings allow for, deliveries apart."""
    period, needed = alarm["Period"], alarm.get("DatapointsToAlarm", alarm["EvaluationPeriods"])
    return {
        "period_seconds": period,
        "datapoints_to_alarm": needed,
        "evaluation_periods": alarm["EvaluationPeriods"],
        "seconds_to_alarm_at_most": needed * period + EVALUATION_SECONDS,
    }


if __name__ == "__main__":
    main()
