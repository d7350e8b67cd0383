"""What API Gateway refuses of methods and their integrations.

moto gaps: it replaces a method that there is, forgets an integration's responses when it is changed, and does not look
at what responses map.
"""

from __future__ import annotations

import re
from typing import Any

from moto.apigateway.exceptions import BadRequestException, ConflictException, InvalidArn
from moto.apigateway.models import APIGatewayBackend, Integration, IntegrationResponse, Method, Resource

from localcloud.cloud.account import ACCOUNT, REGION
from localcloud.hooks import wrap

#: The function in an integration's URI.
FUNCTION = re.compile(
    rf"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/"
    rf"(?P<arn>arn:aws:lambda:{REGION}:{ACCOUNT}:function:[\w-]+(?::[\w$-]+)?)/invocations"
)
#: How long an integration may take where it does not say: a number, though moto's own type is a text.
MILLISECONDS: Any = 29000
#: What a response's parameter maps to, where only a text between quotation marks is known here.
HEADER = "method.response.header."


def function(integration: Integration) -> str:
    """Return the ARN of the function that an integration calls.

    Raises:
        InvalidArn: It does not name a function of this account.
    """
    match = FUNCTION.fullmatch(integration.uri or "")
    if match is None:
        raise InvalidArn
    return match["arn"]


@wrap(APIGatewayBackend, "put_method")
def _put_method(
    original: Any,
    self: APIGatewayBackend,
    function_id: str,
    resource_id: str,
    method_type: str,
    *args: Any,
    **rest: Any,
) -> Method:
    if method_type in self.get_resource(function_id, resource_id).resource_methods:
        raise ConflictException("Method already exists for this resource")
    method: Method = original(self, function_id, resource_id, method_type, *args, **rest)
    return method


@wrap(Resource, "add_integration")
def _add_integration(original: Any, self: Resource, method_type: str, *args: Any, **settings: Any) -> Integration:
    """Change the integration of a method, which keeps its responses."""
    former = self.get_integration(method_type)
    integration: Integration = original(self, method_type, *args, **settings)
    try:
        if integration.integration_type == "AWS_PROXY":
            function(integration)
    except InvalidArn:
        self.resource_methods[method_type].method_integration = former
        raise
    integration.timeout_in_millis = integration.timeout_in_millis or MILLISECONDS
    integration.passthrough_behaviour = integration.passthrough_behaviour or "WHEN_NO_MATCH"
    if former:
        integration.integration_responses = former.integration_responses
    return integration


@wrap(APIGatewayBackend, "put_integration_response")
def _put_integration_response(  # noqa: PLR0917 - moto's parameters
    original: Any,
    self: APIGatewayBackend,
    function_id: str,
    resource_id: str,
    method_type: str,
    status_code: str,
    selection_pattern: str,
    response_templates: dict[str, str],
    response_parameters: dict[str, str],
    *args: Any,
) -> IntegrationResponse:
    """Take only the mappings of headers that the method's response has."""
    declared = self.get_method(function_id, resource_id, method_type).method_responses.get(status_code)
    wrong = [name for name in response_parameters or {} if not declared or name not in declared.response_parameters]
    if wrong:
        names = ", ".join(f"Invalid mapping expression parameter specified: {name}" for name in wrong)
        raise BadRequestException(
            f"Invalid mapping expression specified: Validation Result: warnings : [], errors : [{names}]"
        )
    arguments = (selection_pattern, response_templates, response_parameters, *args)
    response: IntegrationResponse = original(self, function_id, resource_id, method_type, status_code, *arguments)
    return response


@wrap(APIGatewayBackend, "put_method_response")
def _put_method_response(  # noqa: PLR0917 - moto's parameters
    original: Any,
    self: APIGatewayBackend,
    function_id: str,
    resource_id: str,
    method_type: str,
    response_code: str,
    response_models: Any,
    response_parameters: Any,
) -> Any:
    if response_code in self.get_method(function_id, resource_id, method_type).method_responses:
        raise ConflictException("Response already exists for this resource")
    arguments = (response_models or {}, response_parameters or {})
    return original(self, function_id, resource_id, method_type, response_code, *arguments)
