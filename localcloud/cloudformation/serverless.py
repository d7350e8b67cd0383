"""AWS::Serverless: what AWS's own translator makes of a template of the Serverless Application Model (SAM).

Sources: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/transform-aws-serverless.html and the
package aws-sam-translator, by which AWS transforms such templates.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import boto3
from moto.cloudformation.exceptions import ValidationError

from localcloud.cloud.account import REGION

TRANSFORM = "AWS::Serverless-2016-10-31"
APPLICATION = "AWS::Serverless::Application"


def translated(template: dict[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the template that SAM makes of another.

    Args:
        template: With resources of types such as AWS::Serverless::Function; it stays as it is.
        values: Of its parameters.

    Raises:
        ValueError: SAM refuses the template; the message is AWS's.
        ValidationError: It takes an application from the Serverless Application Repository.
    """
    # Imported here because they take half a second, which only such templates need.
    from samtranslator.model.exceptions import InvalidDocumentException  # noqa: PLC0415
    from samtranslator.parser.parser import Parser  # noqa: PLC0415
    from samtranslator.translator.translator import Translator  # noqa: PLC0415

    _refuse_repository(template)
    translator = Translator({}, Parser(), boto_session=boto3.Session(region_name=REGION))
    try:
        result: dict[str, Any] = translator.translate(copy.deepcopy(template), dict(values))
    except InvalidDocumentException as error:
        raise ValueError(" ".join([error.message, *(cause.message for cause in error.causes)])) from error
    finally:
        translator.metrics.publish()  # to nobody, without which it warns that it has not
    return result


def _refuse_repository(template: dict[str, Any]) -> None:
    """Refuse applications that only AWS's repository has: the translator would ask it."""
    resources = template.get("Resources")
    for name, resource in resources.items() if isinstance(resources, dict) else ():
        if not isinstance(resource, dict) or resource.get("Type") != APPLICATION:
            continue
        if isinstance((resource.get("Properties") or {}).get("Location"), dict):
            raise ValidationError(
                message=f"[/Resources/{name}] The local cloud has no Serverless Application Repository. Give Location "
                "the URL of a template in S3."
            )
