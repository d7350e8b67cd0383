"""Secrets: their names; a value only to those who ask for it."""

from __future__ import annotations

from flask import Blueprint, render_template

from localcloud.console import reading

blueprint = Blueprint("secrets", __name__)


@blueprint.get("/secrets")
def show_all() -> str:
    """Show the secrets without their values."""
    secrets = reading.listed("secretsmanager", "list_secrets", "SecretList")
    return render_template("secrets.html", secrets=sorted(secrets, key=lambda row: str(row["Name"])))


@blueprint.get("/secrets/value/<path:name>")
def show(name: str) -> str:
    """Show the value of a secret."""
    value = reading.client("secretsmanager").get_secret_value(SecretId=name)
    return render_template("secret.html", name=name, value=value.get("SecretString", "It is binary."))
