"""Log groups: their newest lines, and a search in them with CloudWatch's filter patterns."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import Any

from flask import Blueprint, render_template, request

from localcloud.console import reading

blueprint = Blueprint("logs", __name__)

SHOWN = 200
#: How far back the newest lines are looked for, in milliseconds: a week.
RECENT = 7 * 86_400_000
_SOURCE = re.compile(r"SOURCE\s+'([^']+)'", re.IGNORECASE)


def sources(query: str) -> list[str]:
    """Return the log groups that a query of CloudWatch Logs Insights names: ``SOURCE 'a' | SOURCE 'b' | ...``."""
    return _SOURCE.findall(query)


def newest(groups: Sequence[str], number: int, pattern: str = "", stream: str = "") -> list[dict[str, Any]]:
    """Return the newest lines of log groups, the newest first, each with its ``group``.

    Args:
        groups: Names of log groups.
        number: How many lines.
        pattern: A filter pattern of CloudWatch; the empty one matches all.
        stream: The beginning of the names of the streams; all when empty.
    """
    lines = []
    for group in groups:
        chosen: dict[str, Any] = {"logGroupName": group, "startTime": int(time.time() * 1000) - RECENT}
        chosen |= {"filterPattern": pattern} if pattern else {}
        chosen |= {"logStreamNamePrefix": stream} if stream else {}
        events = reading.listed("logs", "filter_log_events", "events", **chosen)
        lines += [event | {"group": group} for event in events]
    return sorted(lines, key=lambda line: int(line["timestamp"]), reverse=True)[:number]


@blueprint.get("/logs")
def show_all() -> str:
    """Show the log groups."""
    groups = reading.listed("logs", "describe_log_groups", "logGroups")
    return render_template("logs.html", groups=sorted(groups, key=lambda group: str(group["logGroupName"])))


@blueprint.get("/logs/lines")
def show() -> str:
    """Show the newest lines of a log group, or those that match a pattern."""
    group, pattern = request.args.get("group", ""), request.args.get("pattern", "").strip()
    stream, problem = request.args.get("stream", ""), ""
    client = reading.client("logs")
    try:
        lines = newest([group], SHOWN, pattern, stream)
    except client.exceptions.InvalidParameterException as error:
        lines, problem = [], str(error.response["Error"]["Message"])
    return render_template(
        "log.html", group=group, pattern=pattern, stream=stream, lines=lines, problem=problem, most=SHOWN
    )
