"""The module that AWS Lambda gives to functions with inline code, for responses of custom resources.

Interface:
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/cfn-lambda-function-code-cfnresponsemodule.html
"""

from __future__ import annotations

import json
import urllib.request
from typing import Any

SUCCESS = "SUCCESS"
FAILED = "FAILED"


def send(  # noqa: PLR0917 - the parameters and their names are AWS's
    event: dict[str, Any],
    context: Any,
    responseStatus: str,  # noqa: N803
    responseData: dict[str, Any],  # noqa: N803
    physicalResourceId: str | None = None,  # noqa: N803
    noEcho: bool = False,  # noqa: N803
    reason: str | None = None,
) -> None:
    """Send the response of a custom resource to CloudFormation."""
    body = {
        "Status": responseStatus,
        "Reason": reason or f"See the details in CloudWatch Log Stream: {context.log_stream_name}",
        "PhysicalResourceId": physicalResourceId or context.log_stream_name,
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "NoEcho": noEcho,
        "Data": responseData,
    }
    content, headers = json.dumps(body).encode(), {"Content-Type": ""}
    request = urllib.request.Request(event["ResponseURL"], content, headers, method="PUT")  # noqa: S310 - CloudFormation's
    urllib.request.urlopen(request).close()  # noqa: S310
