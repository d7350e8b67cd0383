"""How properties of CloudFormation become parameters of Amazon RDS, where more than a name differs."""

from __future__ import annotations

from localcloud.cloudformation.translation import Properties, as_text, without_empty


def database_parameters(values: Properties) -> Properties:
    """List the parameters, each with the time when it is applied."""
    parameters = [
        {"ParameterName": name, "ParameterValue": as_text(item), "ApplyMethod": "pending-reboot"}
        for name, item in values.pop("Parameters", {}).items()
    ]
    return values | without_empty(Parameters=parameters)
