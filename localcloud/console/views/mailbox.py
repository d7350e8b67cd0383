"""The mailbox: what topics have mailed, as people see it in their mail program."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.parser import BytesParser
from pathlib import Path

from flask import Blueprint, Response, render_template

from localcloud.console import reading

blueprint = Blueprint("mailbox", __name__)

FOLDER = "mailbox"
ALARM_SUBJECT = re.compile(r'(ALARM|OK|INSUFFICIENT_DATA): "(?P<name>.+)" in ')


@dataclass(frozen=True)
class Mail:
    """A mail.

    Attributes:
        name: The name of its file, without its ending.
        sender: From whom.
        to: To whom.
        subject: Its subject.
        received: When it came.
        body: Its text.
    """

    name: str
    sender: str
    to: str
    subject: str
    received: datetime
    body: str

    @property
    def shown_body(self) -> str:
        """The text for people: a message that is JSON, such as an event, in lines of its own."""
        message, footer, rest = self.body.partition("\n\n--\n")
        try:
            document = json.loads(message)
        except ValueError:
            return self.body
        return json.dumps(document, indent=2, ensure_ascii=False) + footer + rest

    @property
    def alarm(self) -> str:
        """The name of the alarm that it is about; empty if it is about none."""
        about = ALARM_SUBJECT.match(self.subject)
        return about["name"] if about else ""


def all_mails(cloud: Path) -> list[Mail]:
    """Return the mails of the cloud in a folder, the newest first."""
    paths = sorted((cloud / FOLDER).glob("*.eml"), key=_time, reverse=True)
    return [_mail(path) for path in paths]


def _time(path: Path) -> tuple[int, int]:
    """The nanosecond and the number that a mail's file is named by."""
    nanosecond, _, number = path.stem.partition("-")
    return (int(nanosecond), int(number or 0)) if nanosecond.isdecimal() else (0, 0)


def _mail(path: Path) -> Mail:
    message = BytesParser(policy=policy.default).parsebytes(path.read_bytes())
    body = message.get_body(("plain",))
    return Mail(
        name=path.stem,
        sender=str(message["From"]),
        to=str(message["To"]),
        subject=str(message["Subject"]),
        received=datetime.fromtimestamp(_time(path)[0] / 1e9, UTC),
        body=str(body.get_content()).strip() if body else "",
    )


@blueprint.get("/mail")
def show_all() -> str:
    """Show the mailbox."""
    return render_template("mails.html", mails=all_mails(reading.cloud().folder))


@blueprint.get("/mail/<name>.eml")
def file(name: str) -> Response:
    """Return a mail as a file, which every mail program opens."""
    paths = (path for path in (reading.cloud().folder / FOLDER).glob("*.eml") if path.stem == name)
    path = reading.existing(next(paths, None), "There is no such mail.")
    disposition = {"Content-Disposition": f'attachment; filename="{path.name}"'}
    return Response(path.read_bytes(), content_type="message/rfc822", headers=disposition)


@blueprint.get("/mail/<name>")
def show(name: str) -> str:
    """Show a mail."""
    mails = (mail for mail in all_mails(reading.cloud().folder) if mail.name == name)
    return render_template("mail.html", mail=reading.existing(next(mails, None), "There is no such mail."))
