"""Databases: what runs, the line that connects a client to it, and a box for questions in its language."""

from __future__ import annotations

import json
import time
from typing import Any

from flask import Blueprint, render_template, request

from localcloud.cloud.connections import Database, all_databases
from localcloud.console import forms, questions, reading
from localcloud.errors import LocalCloudError

blueprint = Blueprint("databases", __name__)


@blueprint.get("/databases")
def show_all() -> str:
    """Show all databases."""
    databases = all_databases(reading.client, reading.cloud().folder)
    return render_template("databases.html", databases=databases, asked=questions.LANGUAGES)


@blueprint.get("/databases/<engine>/<name>")
def show(engine: str, name: str) -> str:
    """Show a database, with a box for a question."""
    database = _named(engine, name)
    return _page(database, questions.EXAMPLES[engine].format(name=name))


@blueprint.post("/databases/<engine>/<name>")
def ask(engine: str, name: str) -> str:
    """Ask the database the question of the form; it may only read."""
    forms.check()
    database, text = _named(engine, name), request.form.get("question", "").strip()
    begin = time.perf_counter()
    try:
        rows = questions.ask(database, text, request.form.get("place", ""))
    except LocalCloudError as error:
        return _page(database, text, problem=str(error))
    cells = [[_said(cell) for cell in row] for row in rows.rows]
    return _page(database, text, rows=rows, cells=cells, seconds=time.perf_counter() - begin)


def _named(engine: str, name: str) -> Database:
    if engine == questions.DYNAMODB:
        table = reading.client(engine).describe_table(TableName=name)["Table"]
        return Database(name, engine, "", table["TableStatus"], "", "")
    databases = all_databases(reading.client, reading.cloud().folder)
    matching = (row for row in databases if (row.engine, row.name) == (engine, name) and engine in questions.LANGUAGES)
    return reading.existing(next(matching, None), f"There is no database {name} of {engine} that can be asked here.")


def _page(database: Database, question: str, **answer: Any) -> str:
    return render_template(
        "database.html",
        database=database,
        question=question,
        language=questions.LANGUAGES[database.engine],
        choice=questions.PLACES.get(database.engine, ""),
        places=questions.places(database),
        place=request.form.get("place", ""),
        token=forms.token(),
        answer=answer,
    )


def _said(cell: object) -> str:
    if cell is None:
        return "–"
    if isinstance(cell, dict | list):
        return json.dumps(cell, ensure_ascii=False, default=str)
    return str(cell)
