"""The first page: in one sentence whether all is well, then stacks, alarms, jobs, mails and what happened last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from flask import Blueprint, render_template, url_for

from localcloud.console import reading
from localcloud.console.states import Tone, counted, sentence, state
from localcloud.console.views import alarms, jobs, mailbox, stacks

blueprint = Blueprint("overview", __name__)

SHOWN_JOBS, SHOWN_MAILS, SHOWN_EVENTS = 6, 4, 18


@dataclass(frozen=True)
class Verdict:
    """Whether all is well, in a sentence.

    Attributes:
        tone: Good, bad, or in between.
        word: The same in a word.
        text: The sentence.
    """

    tone: Tone
    word: str
    text: str

    @property
    def status(self) -> str:
        """A status of AWS with the same tone, by which the badge is drawn."""
        return {"good": "OK", "bad": "FAILED", "busy": "RUNNING"}.get(self.tone, "INSUFFICIENT_DATA")


@dataclass(frozen=True)
class Event:
    """Something that happened.

    Attributes:
        time: When.
        status: The state that it led to.
        subject: To what it happened.
        address: The page about it.
    """

    time: datetime
    status: str
    subject: str
    address: str


def verdict(
    deployed: Sequence[stacks.Stack], ringing: Sequence[alarms.Alarm], submitted: Sequence[jobs.Job]
) -> Verdict:
    """Say in a sentence whether all is well.

    Args:
        deployed: All stacks.
        ringing: The alarms that ring.
        submitted: The jobs that are shown.
    """
    if not deployed:
        return Verdict("none", "empty", "The cloud is up, and no stack is deployed.")
    failed_stacks = [stack.name for stack in deployed if state(stack.status).tone == "bad"]
    failed_jobs = [job for job in submitted if job.status == "FAILED"]
    problems = [f"{name} is not deployed as it should be" for name in failed_stacks]
    if ringing:
        names = sentence([alarm.name for alarm in ringing[:2]])
        problems.append(f"{counted(len(ringing), 'alarm')} {'rings' if len(ringing) == 1 else 'ring'} ({names})")
    if failed_jobs:
        problems.append(f"{counted(len(failed_jobs), 'job')} failed")
    if problems:
        return Verdict("bad", "look here", f"{_capital(sentence(problems))}.")
    changing = [stack.name for stack in deployed if state(stack.status).tone == "busy"]
    if changing:
        return Verdict(
            "busy", "working", f"{sentence(changing)} {'is' if len(changing) == 1 else 'are'} being deployed."
        )
    running = [job for job in submitted if state(job.status).tone == "busy"]
    work = (
        f", and {counted(len(running), 'job')} {'runs or waits' if len(running) == 1 else 'run or wait'}"
        if running
        else ""
    )
    stacks_are = f"{counted(len(deployed), 'stack')} {'is' if len(deployed) == 1 else 'are'} deployed"
    return Verdict("good", "all well", f"{_capital(stacks_are)}, no alarm rings{work}.")


def timeline(deployed: Sequence[stacks.Stack], submitted: Sequence[jobs.Job]) -> list[Event]:
    """Return what happened to stacks, alarms and jobs and which mails came, the latest first."""
    events = [
        Event(stack.changed, stack.status, stack.name, url_for("stacks.show", name=stack.name))
        for stack in deployed
        if stack.changed
    ]
    events += [
        Event(item.time, item.status, item.alarm, url_for("alarms.show", name=item.alarm))
        for item in alarms.history()
        if "ALARM" in {item.before, item.status}
    ]
    events += [
        Event(job.changed, job.status, job.name, url_for("jobs.show", job_id=job.id))
        for job in submitted
        if job.changed
    ]
    return sorted(events, key=lambda event: event.time.astimezone(UTC), reverse=True)[:SHOWN_EVENTS]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


@blueprint.get("/")
def show() -> str:
    """Show the overview."""
    deployed, all_alarms, submitted = stacks.all_stacks(), alarms.all_alarms(), jobs.all_jobs()
    ringing = [alarm for alarm in all_alarms if alarm.status == "ALARM"]
    return render_template(
        "overview.html",
        verdict=verdict(deployed, ringing, submitted),
        stacks=deployed,
        ringing=ringing,
        alarms_ok=sum(alarm.status == "OK" for alarm in all_alarms),
        alarms_without_data=sum(alarm.status == "INSUFFICIENT_DATA" for alarm in all_alarms),
        jobs=submitted[:SHOWN_JOBS],
        mails=mailbox.all_mails(reading.cloud().folder)[:SHOWN_MAILS],
        timeline=timeline(deployed, submitted),
    )
