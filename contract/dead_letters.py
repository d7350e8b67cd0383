"""What becomes of a change or an event that a function cannot write into an engine."""

from __future__ import annotations

import json
import time
from typing import Any

DEAD_LETTER = "dead-letter"
"""The `event` of the log line about something that was given up; an alarm counts these lines."""

PARTITION_KEY, SORT_KEY, EXPIRY = "Source", "Id", "ExpiresAt"
"""The attributes of the table of dead letters: which function, which record of it, and when the item goes."""

KEEP_SECONDS = 14 * 86400
"""How long a dead letter waits for somebody."""


class RefusedError(Exception):
    """A record that cannot be written as it is; it is given up at once."""


class NotNowError(Exception):
    """An engine that cannot be reached, or takes nothing at present; the record comes again."""


def dead_letter(source: str, identity: str, reason: str, record: Any) -> dict[str, dict[str, str]]:
    """Return the item for something that is given up, as DynamoDB's API takes it.

    Args:
        source: The function.
        identity: What the record is called where it came from.
        reason: Why it is given up; cut at 2,000 characters.
        record: All that is needed to do it again, as JSON knows it.
    """
    return {
        **key(source, identity),
        "Reason": {"S": reason[:2000]},
        "Record": {"S": json.dumps(record, ensure_ascii=False)},
        EXPIRY: {"N": str(int(time.time()) + KEEP_SECONDS)},
    }


def key(source: str, identity: str) -> dict[str, dict[str, str]]:
    """Return the key of an item of the table, as DynamoDB's API takes it."""
    return {PARTITION_KEY: {"S": source}, SORT_KEY: {"S": identity}}


def log_line(reason: str, **details: Any) -> str:
    """Return the log line about something that was given up, with more by which a person finds it."""
    return json.dumps({"event": DEAD_LETTER, "reason": reason[:500], **details})
