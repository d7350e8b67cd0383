"""AWS's signatures: which access key a request names, and whether its secret key made the signature.

Version 4 in the Authorization header and in presigned URLs follows "Create a signed AWS API request" in the IAM User
Guide (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html); forms follow
"Authenticating Requests: Browser-Based Uploads Using POST" in the API reference of S3. S3 also takes version 2, which
boto3 uses for presigned URLs and forms; botocore computes that one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import Message
from functools import lru_cache, partial
from io import BytesIO
from typing import Any
from urllib.parse import SplitResult, parse_qs, quote, unquote_to_bytes, urlsplit

from botocore.auth import HmacV1Auth
from botocore.awsrequest import HTTPHeaders
from botocore.credentials import Credentials
from botocore.utils import normalize_url_path
from werkzeug.formparser import parse_form_data

ALGORITHM = "AWS4-HMAC-SHA256"
#: Services whose paths are signed as they are sent; for all others they are encoded once more.
S3 = {"s3", "s3-outposts", "s3-object-lambda", "s3express"}
SKEW = timedelta(minutes=15)
LONGEST = timedelta(days=7)  # that a presigned URL may be valid


class SignatureError(Exception):
    """A signature that is missing, cannot be read, is out of date or was made with another key.

    Args:
        code: The query protocol's name of the error.
        message: What is wrong.
        service: The service that the signature is for, if it could be read.
    """

    def __init__(self, code: str, message: str, service: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.service = service


@dataclass(frozen=True)
class SignedRequest:
    """A request as it was sent.

    Attributes:
        method: HTTP's method.
        target: Path and query, encoded as the request line has them.
        headers: Its headers.
        body: Its body.
    """

    method: str
    target: str
    headers: Message
    body: bytes

    @property
    def url(self) -> SplitResult:
        """Path and query."""
        return urlsplit(f"http://localhost{self.target}")

    @property
    def parameters(self) -> dict[str, str]:
        """The query's parameters; of one that comes twice, the first."""
        return {name: values[0] for name, values in parse_qs(self.url.query, keep_blank_values=True).items()}


@dataclass(frozen=True)
class Signature:
    """What a request says about its signature.

    Attributes:
        access_key_id: Whose secret key made it.
        service: The service it was made for, by its signing name.
        token: The session token that came with it; empty without one.
        value: The signature.
        compute: Computes what it must be, given the secret key.
        in_header: Whether it is in the Authorization header, which no web page can set without asking first.
        region: The region that it was made for; empty in version 2, which names none.
    """

    access_key_id: str
    service: str
    token: str
    value: str
    compute: Callable[[str], str]
    in_header: bool = False
    region: str = ""

    def made_with(self, secret_access_key: str) -> bool:
        """Return whether this secret key made it."""
        return hmac.compare_digest(self.compute(secret_access_key).encode(), self.value.encode())


def read(request: SignedRequest) -> Signature | None:
    """Return the signature of a request; None if it has none.

    Raises:
        SignatureError: It cannot be read, or it is not valid now.
    """
    authorization = request.headers.get("Authorization", "")
    if authorization.startswith(f"{ALGORITHM} "):
        return _in_header(request, authorization)
    if s3_header := re.fullmatch(r"AWS ([^:\s]+):(\S+)", authorization):
        date = "" if "x-amz-date" in request.headers else request.headers.get("Date", "")
        token = request.headers.get("x-amz-security-token", "")
        return _version_2(request, s3_header[1], s3_header[2], date, token, in_header=True)
    if authorization:
        raise SignatureError("InvalidRequest", f"The authorization {authorization.split(' ')[0]} is not supported.")
    parameters = request.parameters
    if "X-Amz-Signature" in parameters:
        return _in_url(request, parameters)
    if {"AWSAccessKeyId", "Signature", "Expires"} <= parameters.keys():
        return _version_2_in_url(request, parameters)
    if request.method == "POST" and request.headers.get_content_type() == "multipart/form-data":
        return _in_form(request)
    return None


def _in_header(request: SignedRequest, authorization: str) -> Signature:
    fields = dict(re.findall(r"(Credential|SignedHeaders|Signature)=([^,\s]+)", authorization))
    if fields.keys() != {"Credential", "SignedHeaders", "Signature"}:
        raise SignatureError("IncompleteSignature", "Authorization needs Credential, SignedHeaders and Signature.")
    moment = request.headers.get("X-Amz-Date", "")
    if abs(datetime.now(UTC) - _moment(moment)) > SKEW:
        raise SignatureError(
            "RequestTimeTooSkewed", f"The difference between {moment} and the current time is too large."
        )
    token = request.headers.get("X-Amz-Security-Token", "")
    return _version_4(
        request, fields["Credential"], fields["SignedHeaders"], fields["Signature"], moment, token, in_header=True
    )


def _in_url(request: SignedRequest, parameters: Mapping[str, str]) -> Signature:
    names = ("X-Amz-Credential", "X-Amz-SignedHeaders", "X-Amz-Signature", "X-Amz-Date")
    if parameters.get("X-Amz-Algorithm") != ALGORITHM or not parameters.keys() >= {*names}:
        raise SignatureError("AuthorizationQueryParametersError", f"A URL signed by {ALGORITHM} needs {names}.")
    seconds = parameters.get("X-Amz-Expires", "900")
    if not (seconds.isdecimal() and int(seconds) <= LONGEST.total_seconds()):
        raise SignatureError("AuthorizationQueryParametersError", f"X-Amz-Expires is {seconds}: expected up to a week.")
    _check_expiry(_moment(parameters["X-Amz-Date"]) + timedelta(seconds=int(seconds)))
    credential, signed_headers, value, moment = (parameters[name] for name in names)
    token = parameters.get("X-Amz-Security-Token", "")
    return _version_4(request, credential, signed_headers, value, moment, token, in_header=False)


def _version_4(  # noqa: PLR0917 - what a signature consists of
    request: SignedRequest,
    credential: str,
    signed_headers: str,
    value: str,
    moment: str,
    token: str,
    *,
    in_header: bool,
) -> Signature:
    access_key_id, *scope = credential.rsplit("/", 4)
    if len(scope) != 4 or scope[3] != "aws4_request" or scope[0] != moment[:8]:  # noqa: PLR2004 - the scope's parts
        raise SignatureError("IncompleteSignature", f"The credential {credential} has no valid scope.")
    names = signed_headers.lower().split(";")
    if "host" not in names:
        raise SignatureError("SignatureDoesNotMatch", "The header Host must be signed.")
    service = scope[2].lower()
    canonical = _canonical_request(request, service, names, in_header=in_header)
    text = "\n".join([ALGORITHM, moment, "/".join(scope), hashlib.sha256(canonical).hexdigest()])
    compute = partial(_sign, tuple(scope), text)
    return Signature(access_key_id, service, token, value, compute, in_header=in_header, region=scope[1])


def _canonical_request(request: SignedRequest, service: str, names: list[str], *, in_header: bool) -> bytes:
    url = request.url
    path = quote(unquote_to_bytes(url.path) if service in S3 else normalize_url_path(url.path), safe="/~")
    pairs = [pair.partition("=")[::2] for pair in url.query.split("&") if pair]
    encoded = sorted(
        tuple(quote(unquote_to_bytes(text), safe="~") for text in pair)
        for pair in pairs
        if pair[0] != "X-Amz-Signature"
    )
    headers = [
        f"{name}:{','.join(' '.join(value.split()) for value in request.headers.get_all(name, []))}" for name in names
    ]
    content = request.headers.get("x-amz-content-sha256")
    if content is None:
        unsigned = service in S3 and not in_header
        content = "UNSIGNED-PAYLOAD" if unsigned else hashlib.sha256(request.body).hexdigest()
    query = "&".join("=".join(pair) for pair in encoded)
    lines = [request.method, path, query, *headers, "", ";".join(names), content]
    return "\n".join(lines).encode("latin-1", "replace")  # http.server decodes headers by latin-1


def _sign(scope: tuple[str, ...], text: str, secret_access_key: str) -> str:
    return hmac.new(
        _signing_key(secret_access_key, scope), text.encode("latin-1", "replace"), hashlib.sha256
    ).hexdigest()


@lru_cache(256)
def _signing_key(secret_access_key: str, scope: tuple[str, ...]) -> bytes:
    key = f"AWS4{secret_access_key}".encode()
    for component in scope:
        key = hmac.digest(key, component.encode(), "sha256")
    return key


def _version_2_in_url(request: SignedRequest, parameters: Mapping[str, str]) -> Signature:
    expires = parameters["Expires"]
    _check_expiry(datetime.fromtimestamp(int(expires) if expires.isdecimal() else 0, UTC))
    token = parameters.get("x-amz-security-token", "")
    return _version_2(request, parameters["AWSAccessKeyId"], parameters["Signature"], expires, token, in_header=False)


def _version_2(
    request: SignedRequest, access_key_id: str, value: str, date: str, token: str, *, in_header: bool
) -> Signature:
    bucket = re.match(r"(.+?)(?:\.s3(?:\.[\w-]+)?)?\.localhost(?::|$)", request.headers["Host"])
    path = f"/{bucket[1]}{request.url.path}" if bucket else request.url.path
    if re.fullmatch("/[^/]+", path):  # a bucket itself
        path += "/"

    def compute(secret_access_key: str) -> str:
        headers: Any = HTTPHeaders()
        for name, text in request.headers.items():
            headers[name] = text
        signer = _Version2(Credentials(access_key_id, secret_access_key, token or None), date)
        return str(signer.get_signature(request.method, request.url, headers, auth_path=path))

    return Signature(access_key_id, "s3", token, value, compute, in_header=in_header)


class _Version2(HmacV1Auth):
    """botocore's signer, with the date or the expiry of a request that somebody else signed."""

    def __init__(self, credentials: Credentials, date: str) -> None:
        super().__init__(credentials)
        self._date = date

    def _get_date(self) -> str:
        return self._date


def _in_form(request: SignedRequest) -> Signature | None:
    """Return the signature of a POST policy: of the form that lets a browser upload to S3."""
    environment = {
        "wsgi.input": BytesIO(request.body),
        "CONTENT_LENGTH": str(len(request.body)),
        "CONTENT_TYPE": request.headers["Content-Type"],
        "REQUEST_METHOD": "POST",
    }
    fields = {name.lower(): value for name, value in parse_form_data(environment)[1].items()}
    policy, token = fields.get("policy", ""), fields.get("x-amz-security-token", "")
    if not policy:
        return None
    try:
        _check_expiry(datetime.fromisoformat(json.loads(base64.b64decode(policy))["expiration"]))
    except (ValueError, KeyError, TypeError) as error:
        raise SignatureError("InvalidPolicyDocument", f"The form's policy cannot be read: {error}") from error
    if "x-amz-signature" in fields:
        access_key_id, *scope = fields.get("x-amz-credential", "").rsplit("/", 4)
        if len(scope) != 4:  # noqa: PLR2004 - date, region, service, aws4_request
            raise SignatureError("IncompleteSignature", "The form's x-amz-credential has no valid scope.", "s3")
        compute = partial(_sign, tuple(scope), policy)
        return Signature(access_key_id, "s3", token, fields["x-amz-signature"], compute, region=scope[1])

    def version_2(secret_access_key: str) -> str:
        return base64.b64encode(hmac.digest(secret_access_key.encode(), policy.encode(), "sha1")).decode()

    return Signature(fields.get("awsaccesskeyid", ""), "s3", token, fields.get("signature", ""), version_2)


def _moment(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise SignatureError("IncompleteSignature", f"X-Amz-Date is {text or 'missing'}: expected a time.") from error


def _check_expiry(end: datetime) -> None:
    if datetime.now(UTC) > end:
        raise SignatureError("AccessDenied", f"The request has expired: it was valid until {end.isoformat()}.")
