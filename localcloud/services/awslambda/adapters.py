"""How properties of CloudFormation become parameters of AWS Lambda, where more than a name differs."""

import io
import zipfile

from localcloud.cloudformation.translation import Properties


def function(values: Properties) -> Properties:
    """Pack inline code into an archive, and repeat the members of ``Code`` beside it, where updates expect them."""
    code = values["Code"]
    if "ZipFile" in code:
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr(zipfile.ZipInfo("index.py"), code["ZipFile"])
        code = {"ZipFile": archive.getvalue()}
    return {**values, "Code": code, **code}
