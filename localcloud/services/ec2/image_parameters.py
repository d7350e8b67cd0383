"""Machine images that a launch names by an SSM parameter: `resolve:ssm:NAME` instead of an image's id.

moto gap: such a name counts as an image's id. EC2 reads the parameter at each launch, and also when a launch template
names it, so that a parameter that it cannot use is refused at once.
See https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/create-launch-template.html.
"""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.instances import InstanceBackend, Reservation
from moto.ec2.models.launch_templates import LaunchTemplate, LaunchTemplateVersion
from moto.ec2.responses.launch_templates import LaunchTemplates
from moto.ssm.exceptions import ParameterVersionNotFound
from moto.ssm.models import ssm_backends

from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.hooks import wrap

PREFIX = "resolve:ssm:"
DATA_TYPE = "aws:ec2:image"


def image_id(image: str) -> str:
    """Return the id of an image that is named by its id, or by a parameter.

    Raises:
        EC2ClientError: There is no such parameter, or it is not declared to hold the id of an image.
    """
    if not image.startswith(PREFIX):
        return image
    name = image.removeprefix(PREFIX)
    try:
        parameter = ssm_backends[ACCOUNT][REGION].get_parameter(name)
    except ParameterVersionNotFound:
        parameter = None
    if parameter is None:
        raise EC2ClientError("SsmInvalidParameter", f"The following aliases are invalid: {name}")
    if parameter.data_type != DATA_TYPE:
        raise EC2ClientError(
            "SsmInvalidParameter",
            f"Unsupported data type. The following parameter data types are supported: {DATA_TYPE}",
        )
    return str(parameter.value)


@wrap(InstanceBackend, "run_instances")
def _run_instances(original: Any, self: Any, image: str, *args: Any, **kwargs: Any) -> Reservation:
    template = kwargs.get("launch_template")
    image = image or (self._get_template_from_args(template).image_id if template else "")
    reservation: Reservation = original(self, image_id(image) if image else image, *args, **kwargs)
    return reservation


@wrap(LaunchTemplate, "create_version")
def _create_version(
    original: Any, self: LaunchTemplate, data: dict[str, Any], description: str
) -> LaunchTemplateVersion:
    image_id(data.get("ImageId", ""))
    version: LaunchTemplateVersion = original(self, data, description)
    return version


@wrap(LaunchTemplates, "describe_launch_template_versions")
def _describe_launch_template_versions(original: Any, self: LaunchTemplates) -> ActionResult:
    """Show the id of the image that a launch would have now, if the request asks for it."""
    described: ActionResult = original(self)
    if self._get_bool_param("ResolveAlias"):
        result: Any = described.result
        for version in result["LaunchTemplateVersions"]:
            data = version["LaunchTemplateData"]
            if image := data.get("ImageId"):
                version["LaunchTemplateData"] = {**data, "ImageId": image_id(image)}
    return described
