"""Who sends a request: the holder of the cloud's key, of a user's or of a role's; for a public object, anybody.

moto gap: it checks no signature, so every program that reached the port could do everything, and a request succeeded
that AWS refuses for its credentials. What a caller may do is decided in `authorization`.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from moto.cognitoidentity.models import CognitoIdentityBackend
from moto.core.responses import ActionResult
from moto.core.utils import get_service_model
from moto.iam.models import iam_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.sts.responses import TokenResponse
from werkzeug import Response

from localcloud import host
from localcloud.access.sessions import Sessions
from localcloud.access.signatures import S3, Signature, SignatureError, SignedRequest, read
from localcloud.cloud.account import ACCESS_KEY_ID, ACCOUNT, REGION, WELL_KNOWN_SECRET
from localcloud.cloud.context import Cloud
from localcloud.cloud.error_responses import error_response, protocol
from localcloud.hooks import after, replace, wrap

#: What each kind of service calls an error of the query protocol, where the name is another one.
CODES: dict[str, dict[str, str]] = {
    "s3": {"InvalidClientTokenId": "InvalidAccessKeyId", "MissingAuthenticationToken": "AccessDenied"},
    "ec2": dict.fromkeys(
        ("InvalidClientTokenId", "SignatureDoesNotMatch", "MissingAuthenticationToken"), "AuthFailure"
    ),
    "query": {},
    "json": {
        "InvalidClientTokenId": "UnrecognizedClientException",
        "SignatureDoesNotMatch": "InvalidSignatureException",
        "RequestTimeTooSkewed": "InvalidSignatureException",
        "IncompleteSignature": "IncompleteSignatureException",
        "MissingAuthenticationToken": "MissingAuthenticationTokenException",
    },
}
CODES["cbor"] = CODES["json"]
#: Services that have no regions (those that botocore's endpoints.json calls not regionalized), by their signing names.
#: A client with an endpoint of its own signs for them with whatever region it has.
GLOBAL = {"account", "budgets", "ce", "cloudfront", "health", "iam", "networkmanager", "organizations", "route53"}
GLOBAL |= {"savingsplans", "shield", "tax", "waf"}
HINT = f"Use the credentials that `{host.current().command} env` prints."
#: Services with operations that nobody signs, by the prefix in X-Amz-Target.
UNSIGNED_TARGETS = {"AWSCognitoIdentityProviderService": "cognito-idp", "AWSCognitoIdentityService": "cognito-identity"}


def authenticate(cloud: Cloud, request: SignedRequest, from_owner: Callable[[], bool]) -> Signature | None:
    """Verify who sent a request; return its signature, or None if the request needs none.

    Args:
        cloud: The cloud that it is sent to.
        request: The request.
        from_owner: Whether a process of the cloud's own user sent it.

    Raises:
        SignatureError: The signature is missing or wrong.
    """
    signature = read(request)
    if signature is None:
        if _reads_object(request) or (_is_unsigned_operation(request) and from_owner()):
            return None
        raise SignatureError("MissingAuthenticationToken", f"The request is not signed. {HINT}")
    verify(cloud, request, signature, from_owner)
    return signature


def verify(cloud: Cloud, request: SignedRequest, signature: Signature, from_owner: Callable[[], bool]) -> None:
    """Verify that a signature was made with a secret key of this cloud, for its region.

    Args:
        cloud: The cloud that the request is sent to.
        request: The request.
        signature: Its signature.
        from_owner: Whether a process of the cloud's own user sent it.

    Raises:
        SignatureError: It was not.
    """
    secret, service = _secret(cloud, signature.access_key_id), signature.service
    if signature.region not in {"", REGION} and service not in GLOBAL:
        message = f"The local cloud is in the region {REGION} and in no other, but the credential is scoped to "
        message += f"{signature.region}. Set AWS_REGION and AWS_DEFAULT_REGION to {REGION}, or leave out the region."
        raise SignatureError("SignatureDoesNotMatch", message, service)
    # A token that comes with the cloud's own key was left in the environment by somebody's session with AWS.
    token = cloud.state(Sessions).tokens.get(signature.access_key_id, "")
    has_token = signature.access_key_id == ACCESS_KEY_ID or token == signature.token
    if secret is None or not has_token:
        message = f"The security token included in the request is invalid. {HINT}"
        raise SignatureError("InvalidClientTokenId", message, service)
    if not (signature.made_with(secret) or (_well_known(request, signature) and from_owner())):
        message = f"The signature was not made with the secret key of {signature.access_key_id}. {HINT}"
        raise SignatureError("SignatureDoesNotMatch", message, service)


def _well_known(request: SignedRequest, signature: Signature) -> bool:
    """Return whether the signature was made with the key that everybody knows, and no web page can have made it.

    Old browsers do not say where a request comes from. Then a page can still not set the Authorization header; a URL
    may be in any page, so it counts only for S3, where no request changes anything that a page can send by a URL.
    """
    if signature.access_key_id != ACCESS_KEY_ID or "Origin" in request.headers or "Sec-Fetch-Site" in request.headers:
        return False
    in_its_place = signature.in_header or (signature.service in S3 and request.method != "POST")
    return in_its_place and signature.made_with(WELL_KNOWN_SECRET)


def _secret(cloud: Cloud, access_key_id: str) -> str | None:
    """Return the secret key of an access key that exists and is active."""
    if access_key_id == ACCESS_KEY_ID:
        return cloud.secret_access_key
    for account in [*iam_backends.values()]:
        for backend in [*account.values()]:
            key = backend.access_keys.get(access_key_id)
            if key and key.status == "Active":
                return str(key.secret_access_key)
    return None


def _reads_object(request: SignedRequest) -> bool:
    """Return whether a request reads an object of S3; without a signature, moto gives only public ones."""
    host = request.headers["Host"].partition(":")[0].lower()
    in_host = host.endswith(".localhost") and not host.startswith("s3.")  # the bucket's name
    bucket, _, key = request.url.path.removeprefix("/").partition("/")
    names_object = bool(bucket if in_host else bucket and key)
    return request.method in {"GET", "HEAD"} and names_object and request.parameters.keys() <= {"versionId"}


def _is_unsigned_operation(request: SignedRequest) -> bool:
    """Return whether AWS takes this operation without a signature, according to botocore's models.

    Some of them issue credentials for a token that nothing here verifies.
    """
    prefix, _, operation = request.headers.get("X-Amz-Target", "").partition(".")
    service = UNSIGNED_TARGETS.get(prefix)
    if service is None and request.headers.get_content_type() == "application/x-www-form-urlencoded":
        service, operation = "sts", parse_qs(request.body.decode("latin-1")).get("Action", [""])[0]
    model = get_service_model(service) if service else None
    return bool(model and operation in model.operation_names and model.operation_model(operation).auth_type == "none")


def refused(request: SignedRequest, error: SignatureError) -> Response:
    """Return the answer to a request whose signature is missing or wrong."""
    code = CODES[protocol(request, error.service)].get(error.code, error.code)
    return error_response(request, error.service, code, str(error), HTTPStatus.FORBIDDEN)


@after(TokenResponse, "get_session_token", "get_federation_token")
def _session_token(cloud: Cloud, result: ActionResult, response: TokenResponse) -> None:
    """moto gap: these credentials are the same for all, and nothing knows them afterwards."""  # noqa: D403
    issued: Any = result.result
    key, token = _issue(cloud)
    sessions = cloud.state(Sessions)
    sessions.askers[key.access_key_id] = str(response.get_access_key())
    if policy := response.querystring.get("Policy"):
        sessions.limits[key.access_key_id] = policy[0]
    issued["Credentials"] |= {
        "AccessKeyId": key.access_key_id,
        "SecretAccessKey": key.secret_access_key,
        "SessionToken": token,
    }


@wrap(CognitoIdentityBackend, "get_credentials_for_identity")
def _get_credentials_for_identity(cloud: Cloud, original: Any, self: CognitoIdentityBackend, identity_id: str) -> str:
    """moto gap: as with session tokens, these are the same for all."""  # noqa: D403
    response = json.loads(original(self, identity_id))
    key, token = _issue(cloud)
    response["Credentials"] |= {
        "AccessKeyId": key.access_key_id,
        "SecretKey": key.secret_access_key,
        "SessionToken": token,
    }
    return json.dumps(response)


def _issue(cloud: Cloud) -> tuple[Any, str]:
    """New temporary credentials: a key, and its session token."""
    key = iam_backends[ACCOUNT]["aws"].create_temp_access_key()
    token = cloud.state(Sessions).tokens[key.access_key_id] = secrets.token_urlsafe(96)
    return key, token


@replace(DomainDispatcherApplication, "get_service_from_path")
def _no_service(_self: DomainDispatcherApplication, _path: str) -> tuple[None, None]:
    """moto gap: /SERVICE_REGION/ at the beginning of a path leads to any service without a signature for it."""  # noqa: D403
    return None, None
