"""What a caller may do: the decision over each request, and the record of what was used and denied.

moto gap: whoever signs correctly may do everything. Here requests are judged by the policies of their caller and of
what they act on, as AWS judges them, unless the caller is the account's administrator.
"""

from __future__ import annotations

import json
import logging
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from werkzeug import Response

from localcloud.access import callers, calls, keys, resources
from localcloud.access.actions.derivation import Call, Need, needs
from localcloud.access.callers import Caller
from localcloud.access.policies.evaluation import Decision, Policies, Request, Source, evaluate, indispensable
from localcloud.access.policies.patterns import Context
from localcloud.access.policies.principals import Principal
from localcloud.access.signatures import Signature, SignedRequest
from localcloud.access.tags import Keys
from localcloud.cloud.account import ACCOUNT, OWN_SERVICE, REGION
from localcloud.cloud.context import Cloud
from localcloud.cloud.error_responses import error_response, protocol
from localcloud.hooks import address

#: What a service calls a denial, by its protocol, where it has no name of its own.
CODES = {
    "s3": "AccessDenied",
    "ec2": "UnauthorizedOperation",
    "query": "AccessDenied",
    "json": "AccessDeniedException",
    "cbor": "AccessDeniedException",
}
#: What EC2 calls it if the caller may not do what EC2 does in its name.
CODES_OF_ACTIONS = {("ec2", "ssm:GetParameters"): "SsmAccessDenied"}
CODES_OF_SERVICES = {"monitoring": "AccessDenied", "sns": "AuthorizationError", "sqs": "AccessDenied"}
REMEMBERED = 1000
_log = logging.getLogger("localcloud.access")


class Mode(StrEnum):
    """What happens to a request that its caller may not make."""

    ENFORCE = "enforce"
    WARN = "warn"
    OFF = "off"


@dataclass(frozen=True)
class Denial:
    """A request that its caller may not make.

    Attributes:
        time: When, in ISO 8601.
        caller: ARN of the caller, or the name of a service.
        action: The action that is not allowed.
        resource: On what.
        reason: The end of AWS's sentence.
        policy: The policy that denies it; empty if none does, and only an allow is missing.
        statement: Its statement.
        would_allow: A statement that would allow it, in JSON, with the policy where it belongs.
    """

    time: str
    caller: str
    action: str
    resource: str
    reason: str
    policy: str
    statement: str
    would_allow: str

    def __str__(self) -> str:
        """Return the sentence with which AWS denies the request."""
        caller_type = "Service" if self.caller.endswith(".amazonaws.com") else "User"
        request = f"{self.action} on resource: {self.resource} {self.reason}"
        return f"{caller_type}: {self.caller} is not authorized to perform: {request}"


@dataclass(frozen=True)
class Statement:
    """A statement of a policy.

    Attributes:
        holder: The ARN of the role or user whose policy it is in; empty for the policy of a resource.
        policy: The policy's name; of a resource's policy, it ends with the resource's ARN.
        text: The statement in JSON.
    """

    holder: str
    policy: str
    text: str


@dataclass
class Record:
    """What the cloud has decided.

    Attributes:
        mode: What becomes of denied requests.
        denials: The last ones.
        used: The actions that each role, user or service has been allowed, with the resources of each.
        indispensable: The statements without which a request would have been denied, each with the first such denial
            of each action.
        decided: The decisions that `indispensable` has been told: caller, action, resource and deciding statement.
        lock: Guards the rest.
    """

    mode: Mode = Mode.OFF
    denials: deque[Denial] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    used: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    indispensable: dict[Statement, dict[str, Denial]] = field(default_factory=dict)
    decided: set[tuple[str, str, str, str]] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)


def refusal(cloud: Cloud, request: SignedRequest, environ: dict[str, Any], signature: Signature) -> Response | None:
    """Return the answer to a request that its caller may not make; None if it may go on.

    Args:
        cloud: The cloud that it is sent to.
        request: The request.
        environ: The same, as WSGI has it.
        signature: Its signature, which has been verified.
    """
    mode = cloud.state(Record).mode
    if mode is Mode.OFF:
        return None
    caller = callers.of_key(cloud, signature.access_key_id)
    if caller is None and not _may_be_denied_to_all(request, signature.service):
        return None
    if caller and signature.service == OWN_SERVICE:  # a role or user may not control the local cloud itself
        return _denied(request, signature.service, f"{caller.principal.arn} may not control the local cloud.")
    call = calls.read(request, environ, signature.service)
    if call is None:
        return None
    needed = [*all_needs(call)] if caller else _of_administrator(call)
    denial = judge(cloud, caller or callers.administrator(), needed, sent_with(request))
    if denial is None or mode is Mode.WARN:
        return None
    code = CODES_OF_ACTIONS.get((signature.service, denial.action))
    return _denied(request, signature.service, str(denial), code)


def _may_be_denied_to_all(request: SignedRequest, service: str) -> bool:
    """Return whether a request may be one that is denied even to the administrator."""
    return service == "sts" or (service in keys.SERVICES and keys.MARK in request.body.lower())


def _of_administrator(call: Call) -> list[Need]:
    """Return what even the administrator may lack: a role's trust policy and a key's policy decide for everybody.

    Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_update-role-trust-policy.html and
    https://docs.aws.amazon.com/kms/latest/developerguide/key-policies.html
    """
    if call.operation == "AssumeRole" and not callers.is_bootstrapped(str(call.parameters.get("RoleArn", ""))):
        return needs(call, resources.find)
    return [*keys.named(call)]


def sent_with(request: SignedRequest) -> Context:
    """The condition keys that a request has by the way it was sent. What the local cloud gets counts as sent by TLS."""
    return {"aws:useragent": request.headers.get("User-Agent", ""), "aws:sourceip": "127.0.0.1"}


def judge(cloud: Cloud, caller: Caller, needed: list[Need], context: Context | None = None) -> Denial | None:
    """Decide whether a caller may do all of something, and keep the decision.

    Args:
        cloud: The cloud.
        caller: Who asks.
        needed: The actions that it takes.
        context: More condition keys of the request.

    Returns:
        The first action that is denied; None if all are allowed.
    """
    record = cloud.state(Record)
    for need in needed:
        asked, policies = _question(caller, need, context or {})
        decision = evaluate(asked, policies)
        if not decision.allowed:
            denial = _denial(caller.principal, need, decision)
            with record.lock:
                record.denials.append(denial)
            _log.warning("denied: %s; %s; would be allowed by %s", denial, _decided_by(denial), denial.would_allow)
            return denial
        _keep(record, need, asked, policies, decision)
    return None


def _keep(record: Record, need: Need, asked: Request, policies: Policies, decision: Decision) -> None:
    """Record that something was allowed, and by which statements."""
    holder = asked.principal.issuer or asked.principal.arn
    resource = need.resource or "*"
    decided = (holder, need.action, resource, decision.statement.text if decision.statement else "")
    if decided in record.decided:
        return
    denials = [
        (Statement("" if source is Source.RESOURCE else holder, policy.name, statement.text), without)
        for source, policy, statement, without in indispensable(asked, policies)
    ]
    with record.lock:
        record.decided.add(decided)
        record.used.setdefault(holder, {}).setdefault(need.action, set()).add(resource)
        for kept, without in denials:
            denial = _denial(asked.principal, need, without)
            record.indispensable.setdefault(kept, {}).setdefault(need.action, denial)


def _question(caller: Caller, need: Need, context: Context) -> tuple[Request, Policies]:
    """A need as a request, and the policies that decide about it."""
    is_arn = bool(need.resource and need.resource.startswith("arn:"))
    policy, decides = resources.policy(str(need.resource), need.action) if is_arn else (None, False)
    now = datetime.now(UTC)
    context_keys: dict[str, str | tuple[str, ...]] = {
        "aws:currenttime": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "aws:epochtime": str(int(now.timestamp())),
        "aws:principalisawsservice": str(not caller.principal.account).lower(),
        "aws:requestedregion": REGION,
        "aws:securetransport": "true",
        "aws:viaawsservice": "false",
        **caller.context,
        **context,
        **need.context,
    }
    policies = Policies(caller.identity, caller.boundary, caller.session, policy, decides)
    account = resources.owner(str(need.resource)) if is_arn else ACCOUNT
    context_keys["aws:resourceaccount"] = account
    return Request(caller.principal, need.action, need.resource, account, Keys(context_keys, need)), policies


def all_needs(call: Call) -> Iterator[Need]:
    """Yield what a request needs, with what it needs of keys, and a look for what is not there.

    Source for missing objects: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html.
    """
    for need in needs(call, resources.find):
        yield need
        if not need.resource or not need.resource.startswith("arn:"):
            continue
        if need.action == "s3:GetObject" and not resources.has_object(need.resource):
            yield Need("s3:ListBucket", need.resource.partition("/")[0])
        yield from keys.used(call, need)
    yield from keys.named(call)


def _denial(principal: Principal, need: Need, decision: Decision) -> Denial:
    resource = need.resource or "*"
    return Denial(
        time=datetime.now(UTC).isoformat(timespec="milliseconds"),
        caller=principal.arn,
        action=need.action,
        resource=resource,
        reason=decision.because(need.action),
        policy=decision.policy.name if decision.policy else "",
        statement=decision.statement.text if decision.statement else "",
        would_allow=_remedy(principal, need.action, resource, decision),
    )


def _remedy(principal: Principal, action: str, resource: str, decision: Decision) -> str:
    """Return what would allow a denied request: a statement and where it belongs, or the denial that has to go."""
    if decision.statement:
        return f"nothing while that statement denies it: change it in {decision.policy.name if decision.policy else ''}"
    statement: dict[str, Any] = {"Effect": "Allow", "Action": action, "Resource": resource}
    if decision.source is Source.RESOURCE:
        kind = "AWS" if principal.account else "Service"
        statement = {"Effect": "Allow", "Principal": {kind: principal.issuer or principal.arn}, "Action": action}
        statement |= {} if action.startswith("sts:") else {"Resource": resource}
        return f"{json.dumps(statement)} in the policy of {resource}"
    where = {
        Source.IDENTITY: f"a policy of {principal.issuer or principal.arn}",
        Source.BOUNDARY: "its permissions boundary",
        Source.SESSION: "the policy of its session",
    }[decision.source]
    return f"{json.dumps(statement)} in {where}"


def _decided_by(denial: Denial) -> str:
    return f"decided by {denial.statement} in {denial.policy}" if denial.statement else "no statement allows it"


def _denied(request: SignedRequest, service: str, message: str, code: str | None = None) -> Response:
    form = protocol(request, service)
    code = code or CODES_OF_SERVICES.get(service, CODES[form])
    is_rpc = form == "cbor" or "X-Amz-Target" in request.headers
    if form == "ec2":
        message = f"You are not authorized to perform this operation. {message}"
    return error_response(request, service, code, message, HTTPStatus.BAD_REQUEST if is_rpc else HTTPStatus.FORBIDDEN)


@address("{0}/moto-api/denials$")
def _denials(cloud: Cloud, request: Any, _full_url: str, _headers: Any) -> tuple[int, dict[str, str], str]:
    """POST /moto-api/denials: the last denials, the oldest first."""
    record = cloud.state(Record)
    with record.lock:
        denials = [asdict(denial) for denial in record.denials]
    return _told(request, denials)


@address("{0}/moto-api/access$")
def _access(cloud: Cloud, request: Any, _full_url: str, _headers: Any) -> tuple[int, dict[str, str], str]:
    """POST /moto-api/access: the actions that each caller has used, with their resources."""
    record = cloud.state(Record)
    with record.lock:
        used = {
            caller: {action: sorted(names) for action, names in sorted(actions.items())}
            for caller, actions in record.used.items()
        }
    return _told(request, used)


@address("{0}/moto-api/statements$")
def _statements(cloud: Cloud, request: Any, _full_url: str, _headers: Any) -> tuple[int, dict[str, str], str]:
    """POST /moto-api/statements: the statements that requests have needed, with what each would have been denied."""
    record = cloud.state(Record)
    with record.lock:
        needed = [
            {**asdict(statement), "denials": {action: str(denial) for action, denial in sorted(denials.items())}}
            for statement, denials in record.indispensable.items()
        ]
    return _told(request, needed)


def _told(request: Any, content: Any) -> tuple[int, dict[str, str], str]:
    if request.method != "POST":  # a GET would need no signature
        return HTTPStatus.METHOD_NOT_ALLOWED, {}, ""
    return HTTPStatus.OK, {"Content-Type": "application/json"}, json.dumps(content)
