"""How properties of CloudFormation become parameters of AWS Lambda, where more than a name differs."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from localcloud.cloudformation.translation import Properties

#: The module that functions with inline code can import.
RESPONSES = Path(__file__).with_name("cfnresponse.py")


def alias(values: Properties) -> Properties:
    """Give the weights of additional versions by their numbers, as the API does, instead of in a list."""
    routing = values.get("RoutingConfig")
    if routing is None:
        return values
    weights = routing.get("AdditionalVersionWeights") or []
    by_version = {str(weight["FunctionVersion"]): weight["FunctionWeight"] for weight in weights}
    return {**values, "RoutingConfig": {"AdditionalVersionWeights": by_version}}


def layer_version_permission(values: Properties) -> Properties:
    """Name the layer and its version, as the API does, instead of the ARN of the version."""
    layer, _, version = str(values.pop("LayerVersionArn")).rpartition(":")
    return {**values, "LayerName": layer.rpartition(":")[2], "VersionNumber": version}


def function(values: Properties) -> Properties:
    """Pack inline code into an archive, and repeat the members of ``Code`` beside it, where updates expect them."""
    code = values["Code"]
    if "ZipFile" in code:
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr(zipfile.ZipInfo("index.py"), code["ZipFile"])
            if "cfnresponse" in code["ZipFile"]:
                file.writestr(zipfile.ZipInfo("cfnresponse.py"), RESPONSES.read_text())
        code = {"ZipFile": archive.getvalue()}
    return {**values, "Code": code, **code}
