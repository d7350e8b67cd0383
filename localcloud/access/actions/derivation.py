"""From a request to what it needs: actions, resources and condition keys."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import quote

import yaml
from moto.core.utils import get_service_model
from moto.ec2.utils import EC2_PREFIX_TO_RESOURCE

from localcloud.access import function_names
from localcloud.access.actions import reference
from localcloud.access.actions.conditions import request_keys
from localcloud.access.actions.reference import ResourceType
from localcloud.access.policies.patterns import Context

Json = Mapping[str, Any]
#: Finds the ARN of a resource that only the cloud's state tells: by its kind, such as ``kms/key``, and its name.
Find = Callable[[str, str], str | None]


@dataclass(frozen=True)
class Call:
    """An operation with its parameters.

    Attributes:
        service: botocore's name of the service.
        operation: Such as ``PutObject``.
        parameters: As botocore takes them.
        account: The caller's.
        region: Where the service is.
    """

    service: str
    operation: str
    parameters: Json
    account: str
    region: str

    @property
    def prefix(self) -> str:
        """The prefix of the service's actions."""
        return str(_exceptions(self.service).get("prefix") or signing_name(self.service))


@dataclass(frozen=True)
class Need:
    """An action that a request needs.

    Attributes:
        action: Such as ``s3:PutObject``.
        resource: What it acts on; ``*`` if it takes no resource; None if the request does not tell.
        context: The condition keys of this action, in lower case.
    """

    action: str
    resource: str | None
    context: Context = field(default_factory=dict)


@cache
def _table() -> dict[str, Any]:
    text = (files("localcloud.access.actions") / "operations.yaml").read_text(encoding="utf-8")
    table: dict[str, Any] = yaml.load(text, yaml.CSafeLoader)
    return table


def _exceptions(service: str) -> dict[str, Any]:
    return dict(_table().get(service, {}))


@cache
def signing_name(service: str) -> str:
    """Return the name by which requests to a service are signed, which most services' actions begin with."""
    return str(get_service_model(service).signing_name)


def needs(call: Call, find: Find) -> list[Need]:
    """Return what a request needs; nothing for an operation that everybody may use.

    Args:
        call: The request.
        find: Finds the ARNs that the request does not name.
    """
    keys = request_keys(call.service, call.operation, call.parameters)
    special = special_needs(call.service, call.operation)
    if special:
        direct = [*special(call, find)]
    else:
        direct = [need for action in actions(call.service, call.operation) for need in needed(call, action, find)]
    all_needs = [*direct, *_passed(call, find), *_tags_of_new(call), *_read_images(call, find)]
    return [Need(need.action, need.resource, {**keys, **need.context}) for need in all_needs]


def special_needs(service: str, operation: str) -> Callable[[Call, Find], Iterator[Need]] | None:
    """Return what tells the needs of an operation that follow from more than its name; None for any other."""
    return SPECIAL.get((service, operation)) or SPECIAL.get((service, "*"))


@cache
def actions(service: str, operation: str) -> tuple[str, ...]:
    """Return the names of the actions of an operation, without the service's prefix."""
    return tuple(_exceptions(service).get("actions", {}).get(operation, (operation,)))


def needed(call: Call, action: str, find: Find) -> Iterator[Need]:
    """Yield an action with each resource that a request names for it.

    Args:
        call: The request.
        action: The action's name, without the service's prefix.
        find: Finds the ARNs that the request does not name.
    """
    name = f"{call.prefix}:{action}"
    if not reference.exists(call.prefix, action):
        yield Need(name, None)
        return
    kinds = reference.resource_types(call.prefix, action)
    if not kinds:
        yield Need(name, "*")
        return
    arns_by_kind = {kind: _arns(call, kind, find) for kind in kinds}
    chosen = _chosen(call, {kind: arns for kind, arns in arns_by_kind.items() if arns})
    if not chosen:
        takes_none = not any(kind.is_required for kind in kinds) and not _required_parameters(call)
        yield Need(name, "*" if takes_none else None)
    for arn in dict.fromkeys(arn for arns in chosen.values() for arn in arns):
        yield Need(name, arn)


def _chosen(call: Call, arns_by_kind: dict[ResourceType, list[str]]) -> dict[ResourceType, list[str]]:
    """Choose among the kinds that a request names: all for EC2, else the required ones, else the most specific."""
    if call.service == "ec2" or len(arns_by_kind) < 2:  # noqa: PLR2004 - there is nothing to choose
        return arns_by_kind
    all_arns = {arn for arns in arns_by_kind.values() for arn in arns}
    is_part = {
        kind: all(any(container != arn and _is_within(container, arn) for container in all_arns) for arn in arns)
        for kind, arns in arns_by_kind.items()
    }
    outermost = {kind: arns for kind, arns in arns_by_kind.items() if not is_part[kind]}
    required = {kind: arns for kind, arns in outermost.items() if kind.is_required}
    if required:
        return required
    most = max(len(kind.placeholders) for kind in outermost)
    return {kind: arns for kind, arns in outermost.items() if len(kind.placeholders) == most}


def _is_within(arn: str, container: str) -> bool:
    """Return whether a resource belongs to another one, as an index belongs to its table."""
    return arn.startswith((f"{container}/", f"{container}:"))


def _required_parameters(call: Call) -> bool:
    shape = get_service_model(call.service).operation_model(call.operation).input_shape
    return bool(shape and shape.required_members)


def _arns(call: Call, kind: ResourceType, find: Find) -> list[str]:
    """Return the ARNs of the resources of one kind that a request names."""
    place = {"Partition": "aws", "Region": call.region, "Account": call.account}
    if not kind.placeholders:
        return [kind.fill(place)]
    name = _NAMES.get(kind.name, kind.placeholders[-1])
    outer = [placeholder for placeholder in kind.placeholders if placeholder != name]
    arns = []
    for text in values(call, name):
        if text.startswith("arn:"):
            if kind.is_arn(text):
                arns.append(text)
            continue
        if known_arn := find(f"{call.prefix}/{kind.name}", text):
            arns.append(known_arn)
            continue
        outer_values = {placeholder: value for placeholder in outer for value in values(call, placeholder)[:1]}
        if kind.name in _NAMES:
            outer_values = dict.fromkeys(outer, "*")
        if outer_values.keys() >= {*outer}:
            arns.append(kind.fill({**place, **outer_values, name: text}))
    if not arns:
        arns = [text for text in _given(call) if kind.is_arn(text)]
    return [_completed(kind, arn) for arn in arns]


#: Kinds whose ARNs have an id that no request tells beside the name, with the placeholder of the name.
_NAMES = {
    "autoScalingGroup": "GroupFriendlyName",
    "changeset": "ChangeSetName",
    "launchConfiguration": "LaunchConfigurationName",
    "stack": "StackName",
    "stackset": "StackSetName",
}


def _completed(kind: ResourceType, arn: str) -> str:
    """Return a log group's ARN as CloudWatch Logs asks for it: with the end that it shares with its streams.

    Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/iam-access-control-overview-cwl.html
    """
    return f"{arn}:log-stream:" if kind.name == "log-group" and kind.service == "logs" else arn


def values(call: Call, placeholder: str) -> list[str]:
    """Return the values that a request gives for a placeholder of an ARN, in the form that the ARN uses."""
    paths = _exceptions(call.service).get("parameters", {}).get(placeholder, [placeholder, f"{placeholder}s"])
    texts = [
        _FORMS.get((call.service, path), str)(text) for path in paths for text in _at(call.parameters, path.split("."))
    ]
    return [text for text in dict.fromkeys(texts) if text]


def _at(parameters: Any, path: list[str]) -> Iterator[str]:
    """Yield the texts at a path, in whatever lists there are on the way; the case of names does not matter."""
    if isinstance(parameters, list):
        for item in parameters:
            yield from _at(item, path)
    elif path and isinstance(parameters, Mapping):
        for name, value in parameters.items():
            if name.lower() == path[0].lower():
                yield from _at(value, path[1:])
    elif not path and isinstance(parameters, str):
        yield parameters


def _given(call: Call) -> Iterator[str]:
    """Yield the ARNs among the parameters."""
    for value in call.parameters.values():
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and text.startswith("arn:"):
                yield text


def _subscribed(text: str) -> str:
    """Return the topic of a subscription."""
    return text.rpartition(":")[0] if text.count(":") > 5 else text  # noqa: PLR2004 - the colons of a topic's ARN


def _group(text: str) -> str:
    return text.partition(":log-group:")[2].removesuffix(":*") or text


#: What a parameter holds, as it stands in ARNs, where that is not the same.
_FORMS: dict[tuple[str, str], Callable[[str], str]] = {
    ("events", "EventBusName"): lambda text: text.rpartition("/")[2],
    ("events", "Entries.EventBusName"): lambda text: text.rpartition("/")[2],
    ("kms", "AliasName"): lambda text: text.removeprefix("alias/"),
    ("lambda", "FunctionName"): lambda text: function_names.read(text).name,
    ("logs", "logGroupIdentifier"): _group,
    ("logs", "logGroupName"): _group,
    ("sns", "SubscriptionArn"): _subscribed,
    ("sqs", "QueueUrl"): lambda text: text.rpartition("/")[2],
    ("ssm", "Name"): lambda text: text.removeprefix("/"),
    ("ssm", "Names"): lambda text: text.removeprefix("/"),
    ("ssm", "Path"): lambda text: text.removeprefix("/"),
}


def _passed(call: Call, find: Find) -> Iterator[Need]:
    """Yield ``iam:PassRole`` for each role that a request hands to a service."""
    if call.operation.startswith(("Describe", "Get", "List")):
        return
    for path, taker in _exceptions(call.service).get("passes", {}).items():
        for text in _at(call.parameters, path.split(".")):
            kind = "iam/role-of-profile" if path.startswith("IamInstanceProfile") else "iam/role"
            role = find(kind, text) or (text if ":role/" in text else None)
            yield Need("iam:PassRole", role, {"iam:passedtoservice": taker})


def _tags_of_new(call: Call) -> Iterator[Need]:
    """Yield ``ec2:CreateTags`` for what EC2 tags as it creates it, which has no id yet.

    Source: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/supported-iam-actions-tagging.html
    """
    for specification in call.parameters.get("TagSpecifications") or []:
        if call.service == "ec2" and specification.get("Tags"):
            kind = specification.get("ResourceType", "*")
            arn = f"arn:aws:ec2:{call.region}:{call.account}:{kind}/*"
            yield Need("ec2:CreateTags", arn, {"ec2:createaction": call.operation})


def _read_images(call: Call, find: Find) -> Iterator[Need]:
    """Yield ``ssm:GetParameters`` for the parameter by which a launch names its image; EC2 reads it for the caller.

    Source: https://docs.aws.amazon.com/autoscaling/ec2/userguide/using-systems-manager-parameters.html
    """
    if (call.service, call.operation) not in _READING_IMAGES:
        return
    template = call.parameters.get("LaunchTemplate") or {}
    name = template.get("LaunchTemplateId") or template.get("LaunchTemplateName")
    of_template = find("ec2/image-of-launch-template", f"{name}/{template.get('Version', '$Default')}") if name else ""
    data = call.parameters.get("LaunchTemplateData") or call.parameters
    image = str(data.get("ImageId") or of_template or "")
    if image.startswith("resolve:ssm:"):
        parameter = image.removeprefix("resolve:ssm:")
        if not parameter.startswith("arn:"):
            account = "" if parameter.startswith("/aws/service/") else call.account
            parameter = f"arn:aws:ssm:{call.region}:{account}:parameter/{parameter.removeprefix('/').partition(':')[0]}"
        yield Need("ssm:GetParameters", parameter)


_READING_IMAGES = {
    ("autoscaling", "CreateAutoScalingGroup"),
    ("autoscaling", "UpdateAutoScalingGroup"),
    ("ec2", "CreateLaunchTemplate"),
    ("ec2", "CreateLaunchTemplateVersion"),
    ("ec2", "RunInstances"),
}


# Operations whose actions or resources follow from more than a name.


def _versioned(call: Call, find: Find) -> Iterator[Need]:
    """A version of an object has actions of its own."""
    [action] = actions(call.service, call.operation)
    version = {"GetObject": "GetObjectVersion", "DeleteObject": "DeleteObjectVersion"}.get(action, action)
    for name in ("Acl", "Tagging"):
        version = version.replace(f"Object{name}", f"ObjectVersion{name}")
    return needed(call, version if call.parameters.get("VersionId") else action, find)


def _copied(call: Call, find: Find) -> Iterator[Need]:
    """A copy reads one object and writes another."""
    source = call.parameters.get("CopySource", "")
    text = source if isinstance(source, str) else f"{source.get('Bucket')}/{source.get('Key')}"
    path, _, version = text.removeprefix("/").partition("?versionId=")
    yield Need("s3:GetObjectVersion" if version else "s3:GetObject", f"arn:aws:s3:::{path}")
    yield from needed(call, "PutObject", find)


def _deleted(call: Call, find: Find) -> Iterator[Need]:
    """Yield what a deletion of objects needs, for each object separately."""
    for item in call.parameters.get("Delete", {}).get("Objects", []):
        deletion = Call(
            call.service, "DeleteObject", {"Bucket": call.parameters["Bucket"], **item}, call.account, call.region
        )
        yield from _versioned(deletion, find)


def _invoked(call: Call, find: Find) -> Iterator[Need]:  # noqa: ARG001 - the form of all of them
    """A call of a version or an alias acts on that, and not on the function.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/lambda-api-permissions-ref.html
    """
    named = function_names.read(str(call.parameters["FunctionName"]))
    qualifier = call.parameters.get("Qualifier") or named.qualifier
    end = f"{named.name}:{qualifier}" if qualifier else named.name
    yield Need("lambda:InvokeFunction", f"arn:aws:lambda:{call.region}:{call.account}:function:{end}")


def _on_tables(call: Call, find: Find) -> Iterator[Need]:
    """Yield what a batch needs; it names its tables as keys."""
    for name in call.parameters.get("RequestItems", {}):
        table_call = Call(call.service, call.operation, {"TableName": name}, call.account, call.region)
        yield from needed(table_call, call.operation, find)


def _in_transaction(call: Call, find: Find) -> Iterator[Need]:
    """Yield what the items of a transaction need: the same actions as outside a transaction."""
    names = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "Get": "GetItem"}
    names["ConditionCheck"] = "ConditionCheckItem"
    for item in call.parameters.get("TransactItems", []):
        for kind, parameters in item.items():
            item_call = Call(call.service, names[kind], parameters, call.account, call.region)
            keys = request_keys(item_call.service, item_call.operation, parameters)
            yield from (Need(need.action, need.resource, keys) for need in needed(item_call, names[kind], find))


_PARTIQL = {"SELECT": "PartiQLSelect", "INSERT": "PartiQLInsert", "UPDATE": "PartiQLUpdate", "DELETE": "PartiQLDelete"}


def _stated(call: Call, find: Find) -> Iterator[Need]:
    """Yield what PartiQL statements need: the first word names the action, and the table follows."""
    parameters = call.parameters
    statements = [parameters, *parameters.get("Statements", []), *parameters.get("TransactStatements", [])]
    for text in [str(row["Statement"]) for row in statements if "Statement" in row]:
        action = _PARTIQL.get(text.split(maxsplit=1)[0].upper(), "PartiQLSelect")
        table = re.search(r"""\b(?:FROM|INTO|UPDATE)\s+"?([\w.-]+)"?(?:\."?([\w.-]+)"?)?""", text, re.IGNORECASE)
        names = {"TableName": table[1], "IndexName": table[2]} if table else {}
        table_call = Call(call.service, action, {k: v for k, v in names.items() if v}, call.account, call.region)
        yield from needed(table_call, action, find)


def _submitted(call: Call, _: Find) -> Iterator[Need]:
    """A job needs its queue and its definition; AWS asks for both.

    Source: https://docs.aws.amazon.com/batch/latest/userguide/batch-supported-iam-actions-resources.html
    """
    place = f"arn:aws:batch:{call.region}:{call.account}"
    for kind in ("job-queue", "job-definition"):
        first, *rest = kind.split("-")
        name = str(call.parameters.get(first + "".join(word.title() for word in rest), ""))
        yield Need("batch:SubmitJob", name if name.startswith("arn:") else f"{place}:{kind}/{name}")


def _selected(call: Call, find: Find) -> Iterator[Need]:
    """Yield what a query of Timestream needs; it names its tables as ``"database"."table"``."""
    tables = re.findall(r'"?([\w.-]+)"?\."([\w.-]+)"', str(call.parameters.get("QueryString", "")))
    for database, table in tables:
        table_call = Call(
            call.service, "Select", {"DatabaseName": database, "TableName": table}, call.account, call.region
        )
        yield from needed(table_call, "Select", find)
    if not tables:
        yield Need("timestream:SelectValues", "*")


def _loaded(call: Call, find: Find) -> Iterator[Need]:
    """Yield what a batch load task needs: its table, the files, and the place of its report.

    Source: https://docs.aws.amazon.com/timestream/latest/developerguide/batch-load-prerequisites.html
    """
    names = {"DatabaseName": call.parameters["TargetDatabaseName"], "TableName": call.parameters["TargetTableName"]}
    yield from needed(Call(call.service, call.operation, names, call.account, call.region), call.operation, find)
    source = call.parameters["DataSourceConfiguration"]["DataSourceS3Configuration"]
    prefix = source.get("ObjectKeyPrefix", "")
    yield Need("s3:ListBucket", f"arn:aws:s3:::{source['BucketName']}", {"s3:prefix": prefix})
    yield Need("s3:GetBucketAcl", f"arn:aws:s3:::{source['BucketName']}")
    yield Need("s3:GetObject", f"arn:aws:s3:::{source['BucketName']}/{prefix}")
    if report := call.parameters["ReportConfiguration"].get("ReportS3Configuration"):
        yield Need("s3:GetBucketAcl", f"arn:aws:s3:::{report['BucketName']}")
        yield Need("s3:PutObject", f"arn:aws:s3:::{report['BucketName']}/{report.get('ObjectKeyPrefix', '')}/")


def _scheduled(call: Call, _: Find) -> Iterator[Need]:
    """A schedule that names no group is in the default one."""
    group = call.parameters.get("GroupName") or "default"
    name = f"{group}/{call.parameters.get('Name', '')}"
    yield Need(f"scheduler:{call.operation}", f"arn:aws:scheduler:{call.region}:{call.account}:schedule/{name}")


def _on_bus(call: Call, find: Find) -> Iterator[Need]:
    """Yield what an operation on a bus needs; its name is in the parameter that holds a rule's elsewhere."""
    bus = {"EventBusName": call.parameters.get("Name") or "default"}
    yield from needed(Call(call.service, call.operation, bus, call.account, call.region), call.operation, find)


def _put(call: Call, _: Find) -> Iterator[Need]:
    """Yield what each event needs; an event that names no bus goes to the default bus."""
    place = f"arn:aws:events:{call.region}:{call.account}:event-bus/"
    for entry in call.parameters.get("Entries", []):
        bus = entry.get("EventBusName") or "default"
        keys = {"events:source": entry.get("Source", ""), "events:detail-type": entry.get("DetailType", "")}
        yield Need("events:PutEvents", bus if bus.startswith("arn:") else f"{place}{bus}", keys)


def _run(call: Call, find: Find) -> Iterator[Need]:
    """What is started has no id yet: AWS judges it as ``instance/*``, and its volumes and interfaces likewise."""
    yield from (need for need in needed(call, "RunInstances", find) if need.resource)
    place = f"arn:aws:ec2:{call.region}:{call.account}"
    yield from (Need("ec2:RunInstances", f"{place}:{kind}/*") for kind in ("instance", "volume", "network-interface"))


def _tagged(call: Call, _: Find) -> Iterator[Need]:
    """Tags of EC2 name their resources only by ids."""
    for text in call.parameters.get("Resources", []):
        prefix = str(text).rpartition("-")[0]
        kind = EC2_PREFIX_TO_RESOURCE.get(prefix)
        arn = f"arn:aws:ec2:{call.region}:{call.account}:{kind}/{text}" if kind else None
        yield Need(f"ec2:{call.operation}", arn)


def _assumed(call: Call, _: Find) -> Iterator[Need]:
    """Whoever gives a session tags or a source identity needs permissions of their own, from the role's trust too.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html#id_session-tags_permissions-required
    """
    role = str(call.parameters.get("RoleArn", ""))
    yield Need("sts:AssumeRole", role)
    if call.parameters.get("Tags"):
        yield Need("sts:TagSession", role)
    if call.parameters.get("SourceIdentity"):
        yield Need("sts:SetSourceIdentity", role)


def _by_path(call: Call, _: Find) -> Iterator[Need]:
    """Yield HTTP's method on the path of what is asked for, as API Gateway judges its own operations.

    Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/security_iam_service-with-iam.html
    """
    http = get_service_model(call.service).operation_model(call.operation).http
    path = re.sub(r"\{([\w-]+)\+?\}", lambda name: _part(call, name[1]), str(http["requestUri"]).removeprefix("/v2"))
    yield Need(f"apigateway:{http['method']}", f"arn:aws:apigateway:{call.region}::{path}")


def _part(call: Call, place: str) -> str:
    """Return what a request has in a place of its path; an ARN is encoded there."""
    value = next(iter(values(call, re.sub(r"[_-]", "", place))), "*")
    return quote(value, safe="") if value.startswith("arn:") else value


#: The operations whose needs follow from more than their names; ``*`` stands for all operations of a service.
SPECIAL: dict[tuple[str, str], Callable[[Call, Find], Iterator[Need]]] = {
    ("apigateway", "*"): _by_path,
    ("apigatewayv2", "*"): _by_path,
    ("batch", "SubmitJob"): _submitted,
    ("dynamodb", "BatchExecuteStatement"): _stated,
    ("dynamodb", "BatchGetItem"): _on_tables,
    ("dynamodb", "BatchWriteItem"): _on_tables,
    ("dynamodb", "ExecuteStatement"): _stated,
    ("dynamodb", "ExecuteTransaction"): _stated,
    ("dynamodb", "TransactGetItems"): _in_transaction,
    ("dynamodb", "TransactWriteItems"): _in_transaction,
    ("ec2", "CreateTags"): _tagged,
    ("ec2", "DeleteTags"): _tagged,
    ("ec2", "RunInstances"): _run,
    ("events", "CreateEventBus"): _on_bus,
    ("events", "DeleteEventBus"): _on_bus,
    ("events", "DescribeEventBus"): _on_bus,
    ("events", "PutEvents"): _put,
    ("events", "UpdateEventBus"): _on_bus,
    ("lambda", "Invoke"): _invoked,
    ("lambda", "InvokeWithResponseStream"): _invoked,
    ("s3", "CopyObject"): _copied,
    ("s3", "DeleteObject"): _versioned,
    ("s3", "DeleteObjectTagging"): _versioned,
    ("s3", "DeleteObjects"): _deleted,
    ("s3", "GetObject"): _versioned,
    ("s3", "GetObjectAcl"): _versioned,
    ("s3", "GetObjectTagging"): _versioned,
    ("s3", "HeadObject"): _versioned,
    ("s3", "PutObjectAcl"): _versioned,
    ("s3", "PutObjectTagging"): _versioned,
    ("s3", "UploadPartCopy"): _copied,
    ("scheduler", "CreateSchedule"): _scheduled,
    ("scheduler", "DeleteSchedule"): _scheduled,
    ("scheduler", "GetSchedule"): _scheduled,
    ("scheduler", "UpdateSchedule"): _scheduled,
    ("sts", "AssumeRole"): _assumed,
    ("timestream-query", "Query"): _selected,
    ("timestream-write", "CreateBatchLoadTask"): _loaded,
}
