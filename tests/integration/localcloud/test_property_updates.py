"""An update of any property takes effect, replaces the resource, or is refused: none ends well and changes nothing.

CloudFormation's schemas say which properties there are. Each is set, changed and taken away again, down to the members
of its members, and what the service describes is compared: other values are described differently, and without the
property the description is what it was. `described.yaml` says how each type is described.
"""

from __future__ import annotations

import io
import json
import re
import uuid
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jmespath  # type: ignore[import-untyped]
import pytest
import yaml
from botocore.exceptions import ClientError

from localcloud import LocalCloud
from localcloud.cloudformation import schemas, templates
from localcloud.services import rooms

Json = dict[str, Any]
HERE = Path(__file__).parent
EVERY_TYPE: Json = templates.parse((HERE / "every_type.yaml").read_text())["Resources"]
DESCRIBED: Json = yaml.safe_load((HERE / "described.yaml").read_text())
ROWS: dict[str, Json] = {kind: row for room in rooms() for kind, row in room.table("types.yaml").items()}
#: Members of descriptions that differ between two looks at the same settings.
VOLATILE = re.compile(
    r"(?<!Start)(?<!End)Time$|Time(s|S)tamp$|Date$|Modified|^revisionId$|^RevisionId$|^ResponseMetadata$|LastUpdate|lastUpdate|StatusReason|"
    r"UpdateVersion$|[cC]reatedAt$|^Version$|^VersionId$|^Marker$|^State(Value|Reason|ReasonData)$|^Location$"
)
#: What says as much of a member as its absence.
EMPTY: list[Any] = [None, "", "{}", [], {}]
#: Texts for whatever a schema asks for; the first two that fit are tried.
TEXTS = [
    "a",
    "abc",
    "Abcdefg1",
    "10",
    "20",
    "arn:aws:iam::123456789012:role/one",
    "arn:aws:iam::123456789012:role/two",
    "arn:aws:kms:us-east-1:123456789012:key/12345678-1234-1234-1234-123456789012",
    "arn:aws:kms:us-east-1:123456789012:key/22345678-1234-1234-1234-123456789012",
    "10.1.0.0/16",
    "10.2.0.0/16",
    "{}",
    "02:00-03:00",
    "03:00-04:00",
    "mon:04:00-mon:05:00",
    "tue:04:00-tue:05:00",
    "2030-01-01T00:00:00Z",
    "2031-01-01T00:00:00Z",
    "0123456789abcdef" * 2 + "01234567",
    "fedcba9876543210" * 2 + "fedcba98",
]


def resolved(schema: Json, root: Json) -> Json:
    """A schema without a reference."""
    while "$ref" in schema:
        schema = root["definitions"][schema["$ref"].rpartition("/")[2]]
    return schema


def paths(schema: Json, root: Json, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The members of a property, down to those without members; `*` is an item of a list."""
    if schema.get("$ref") in above:
        return
    above, schema = (*above, schema.get("$ref", "")), resolved(schema, root)
    if schema.get("properties"):
        for name, member in schema["properties"].items():
            yield from ((name, *rest) for rest in paths(member, root, above))
    elif schema.get("items"):
        yield from (("*", *rest) for rest in paths(schema["items"], root, above))
    else:
        yield ()


def value(schema: Json, root: Json, choice: int) -> Any:  # noqa: PLR0911 - one for each type
    """The first or second value that a schema allows, with the members that it requires."""
    schema = resolved(schema, root)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][choice % len(schema["enum"])]
    kinds = schema.get("type", "object" if "properties" in schema else "string")
    kind = kinds if isinstance(kinds, str) else next(name for name in kinds if name != "string")
    match kind:
        case "object" if schema.get("properties"):
            first: Json = next((schema[key][0] for key in ("oneOf", "anyOf") if key in schema), {})
            required = [*schema.get("required", []), *resolved(first, root).get("required", [])]
            return {name: value(schema["properties"][name], root, choice) for name in required}
        case "object":
            members = next(iter(schema.get("patternProperties", {}).values()), {"type": "string"})
            return {"a": value(members, root, choice)}
        case "array":
            items = range(min(max(1, schema.get("minItems", 1)), 3))
            return [value(schema.get("items", {}), root, choice + item) for item in items]
        case "boolean":
            return choice % 2 == 0
        case "integer" | "number":
            least = schema.get("minimum", 1)
            return min(least + choice, schema.get("maximum", least + choice))
    return _text(schema, choice)


def _text(schema: Json, choice: int) -> str:
    pattern = re.sub(r"\\p\{\w+\}", r"\\w", schema.get("pattern", ""))  # Python has no classes of Unicode's
    fitting = [
        text
        for text in TEXTS
        if schema.get("minLength", 0) <= len(text) <= schema.get("maxLength", len(text)) and re.search(pattern, text)
    ]
    return fitting[choice % len(fitting)] if fitting else "ab"[choice % 2]


def containing(schema: Json, root: Json, path: tuple[str, ...], choice: int) -> Any:
    """A value of a property that has the member at a path, and what the schema requires beside it."""
    if not path:
        return value(schema, root, choice)
    schema = resolved(schema, root)
    if path[0] == "*":
        return [containing(schema["items"], root, path[1:], choice)]
    others = value(schema, root, 0)
    members = others if isinstance(others, dict) else {}  # a schema may allow a list, too
    return members | {path[0]: containing(schema["properties"][path[0]], root, path[1:], choice)}


def laid_over(before: Any, now: Any) -> Any:
    """A value with the members of another one: a policy keeps its other statements."""
    if isinstance(before, dict) and isinstance(now, dict) and not _is_function(before):
        return before | {key: laid_over(before.get(key), member) for key, member in now.items()}
    if isinstance(before, list) and isinstance(now, list) and before and isinstance(now[0], dict):
        return [laid_over(before[0], now[0]), *before[1:]]
    return now


def _is_function(node: Json) -> bool:
    return any(key == "Ref" or key.startswith("Fn::") for key in node)


def references(node: Any) -> Iterator[str]:
    """The names to which a part of a template refers."""
    match node:
        case {"Ref": str() as name}:
            yield name
        case {"Fn::GetAtt": [str() as name, *_]}:
            yield name
        case {"Fn::Sub": str() as text}:
            yield from re.findall(r"\$\{(\w+)", text)
        case dict():
            yield from (name for member in node.values() for name in references(member))
            yield from [node["DependsOn"]] if isinstance(node.get("DependsOn"), str) else []
        case list():
            yield from (name for member in node for name in references(member))


def needed(name: str) -> Json:
    """A resource of `every_type.yaml` with all that it refers to."""
    body = EVERY_TYPE.get(name)
    return (
        {name: body} | {key: item for other in references(body) for key, item in needed(other).items()} if body else {}
    )


def updatable(kind: str) -> list[str]:
    """The properties of a type whose change does not replace the resource."""
    root = schemas.schema(kind) or {}
    fixed = schemas.create_only(kind) | {path.split("/")[2] for path in root.get("readOnlyProperties", [])}
    return [name for name in root["properties"] if name not in fixed]


@cache
def archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("python/shared.py", "")
    return buffer.getvalue()


class Stack:
    """A stack with one resource of a type and what it needs, with as few properties as it can have."""

    def __init__(self, cloud: LocalCloud, kind: str) -> None:
        self.cloud, self.kind, self.row = cloud, kind, ROWS[kind]
        self.name = f"update-{uuid.uuid4().hex[:10]}"
        self.logical = next(name for name, body in EVERY_TYPE.items() if body["Type"] == kind)
        self.resources = needed(self.logical)
        self.sample: Json = self.resources[self.logical].get("Properties", {})
        root, about = schemas.schema(kind) or {}, DESCRIBED[kind]
        kept = {*root.get("required", []), *about.get("with", []), *schemas.create_only(kind)}
        self.properties = {name: item for name, item in self.sample.items() if name in kept}
        self.cloudformation = cloud.client("cloudformation")
        bucket = f"{self.name}-archives"
        if "Archives" in json.dumps(self.resources):
            cloud.client("s3").create_bucket(Bucket=bucket)
            cloud.client("s3").put_object(Bucket=bucket, Key="layer.zip", Body=archive())
        self.outputs: Json = {"Self": {"Value": {"Ref": self.logical}}}
        self.outputs |= {f"{name}Id": {"Value": {"Ref": name}} for name in self.resources if name != self.logical}
        self.outputs |= {
            re.sub(r"\W", "", name): {"Value": {"Fn::GetAtt": [self.logical, name]}}
            for name in self.row.get("attributes", {})
            if f"{{{name}}}" in json.dumps(about)
        }
        self.description: Json = {}
        self.answers: list[str] = []
        self.cloudformation.create_stack(
            StackName=self.name, TemplateBody=self._body(self.properties), Capabilities=["CAPABILITY_NAMED_IAM"]
        )
        assert self._described() == "CREATE_COMPLETE", self.description.get("StackStatusReason")
        self.state = self.look()

    def change(self, name: str, wanted: Any) -> str:
        """Give a property another value, or none; return `done`, `replaced`, or why it was refused."""
        others = {key: item for key, item in self.properties.items() if key != name}
        identifier = self.identifier
        refusal = self.update(others if wanted is None else others | {name: wanted})
        answer = refusal or ("done" if self.identifier == identifier else "replaced")
        self.answers.append(answer)
        return answer

    def update(self, properties: Json) -> str:
        """Give the resource properties; return why it was refused, or nothing."""
        try:
            self.cloudformation.update_stack(
                StackName=self.name, TemplateBody=self._body(properties), Capabilities=["CAPABILITY_NAMED_IAM"]
            )
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 400:
                raise
            return str(error.response["Error"]["Message"])
        status = self._described()
        if status == "UPDATE_COMPLETE":
            self.properties, self.state = properties, self.look()
            return ""
        assert status == "UPDATE_ROLLBACK_COMPLETE", self.description["StackStatusReason"]
        self.state = self.look()
        return str(self.description["StackStatusReason"])

    @property
    def identifier(self) -> str:
        return self._values()["Self"]

    def look(self) -> str:
        """What the service says of the resource."""
        answers: list[Any] = []
        for question in DESCRIBED[self.kind]["by"]:
            client = self.cloud.client(question.get("service", self.row["service"]))
            operation, parameters = question["operation"], self._filled(question.get("parameters", {}))
            try:
                answer = getattr(client, operation)(**parameters)
            except ClientError as error:
                if not answers:
                    raise
                answer = {"Error": error.response["Error"]["Code"]}
            answers.append(_lasting(jmespath.search(self._filled(question.get("of", "@")), answer)))
        return json.dumps(answers, sort_keys=True, default=str)

    def _body(self, properties: Json) -> str:
        resource = self.resources[self.logical] | {"Properties": properties}
        parameters = {"Archives": {"Type": "String", "Default": f"{self.name}-archives"}}
        resources = self.resources | {self.logical: resource}
        return json.dumps({"Parameters": parameters, "Resources": resources, "Outputs": self.outputs})

    def _described(self) -> str:
        self.description = self.cloudformation.describe_stacks(StackName=self.name)["Stacks"][0]
        return str(self.description["StackStatus"])

    def _values(self) -> dict[str, str]:
        return {output["OutputKey"]: output["OutputValue"] for output in self.description["Outputs"]}

    def _filled(self, node: Any) -> Any:
        match node:
            case str():
                return re.sub(r"\{(\w+)\}", lambda name: self._values()[name[1]], node)
            case list():
                return [self._filled(item) for item in node]
            case dict():
                return {key: self._filled(item) for key, item in node.items()}
        return node


def _lasting(node: Any) -> Any:
    """A description without what changes by itself."""
    if isinstance(node, dict):
        members = {key: _lasting(item) for key, item in node.items() if not VOLATILE.search(key)}
        return {key: item for key, item in members.items() if item not in EMPTY}
    return [_lasting(item) for item in node] if isinstance(node, list) else node


def pretences(stack: Stack, name: str, values: list[Any]) -> Iterator[str]:
    """Give a property values, one after the other, and then what it was before; yield what is described wrongly."""
    before, state = stack.properties, stack.state
    described: dict[str, str] = {}
    for wanted in values:
        if wanted != stack.properties.get(name) and stack.change(name, wanted) == "done":
            same = [other for other, look in described.items() if look == stack.state]
            described[json.dumps(wanted)] = stack.state
            yield from (f"{name}: {other} and {json.dumps(wanted)} are described alike" for other in same)
    if stack.properties == before:
        return
    taken_away = json.dumps(stack.properties.get(name))
    if stack.change(name, before.get(name)) == "done" and described:
        if stack.state != state and name not in DESCRIBED[stack.kind].get("stays", {}):
            yield f"{name}: {taken_away} is not taken away"
        if len(values) > 1 and values[0] == values[-1] and state in described.values():
            yield f"{name}: {taken_away} changes nothing"


def attempts(stack: Stack, name: str) -> Iterator[list[Any]]:
    """Yield values to give a property, one after the other: that of `every_type.yaml`, and two of each member."""
    root = schemas.schema(stack.kind) or {}
    schema = root["properties"][name]
    if name in stack.sample.keys() - stack.properties.keys():
        yield [stack.sample[name]]
    for path in paths(schema, root):
        choices = [containing(schema, root, path, choice) for choice in range(2)]
        yield [laid_over(stack.properties.get(name), choice) for choice in choices]


UPDATED = [kind for kind, row in ROWS.items() if not row.get("always_replaced") and updatable(kind)]


@pytest.mark.parametrize("kind", UPDATED)
def test_no_update_ends_well_that_changes_nothing(cloud: LocalCloud, kind: str) -> None:
    stack = Stack(cloud, kind)
    left_out = {*ROWS[kind].get("ignored", []), *DESCRIBED[kind].get("silent", {})}
    wrong = [
        pretence
        for name in updatable(kind)
        if name not in left_out
        for values in attempts(stack, name)
        for pretence in pretences(stack, name, values)
    ]
    assert wrong == []
    assert stack.answers
    cloud.client("cloudformation").delete_stack(StackName=stack.name)


def test_every_exception_is_about_a_property_that_there_is() -> None:
    assert DESCRIBED.keys() == {*UPDATED}
    for kind, about in DESCRIBED.items():
        for name in [*about.get("silent", {}), *about.get("stays", {})]:
            assert name in updatable(kind), kind
        for name in about.get("with", []):
            assert name in (schemas.schema(kind) or {})["properties"], kind


def test_what_moto_forgets_is_refused_by_name(cloud: LocalCloud) -> None:
    properties = {"DashboardBody": "{}", "Tags": [{"Key": "a", "Value": "b"}]}
    resources = {"Jobs": {"Type": "AWS::CloudWatch::Dashboard", "Properties": properties}}
    stack = f"update-{uuid.uuid4().hex[:10]}"
    cloudformation = cloud.client("cloudformation")
    cloudformation.create_stack(StackName=stack, TemplateBody=json.dumps({"Resources": resources}))
    reason = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatusReason"]
    assert "property Tags is not supported by the local cloud" in reason


def test_a_failed_update_changes_back_what_it_had_changed(cloud: LocalCloud) -> None:
    group = Stack(cloud, "AWS::EC2::SecurityGroup")
    before = group.state
    refusal = group.change("SecurityGroupEgress", [{"IpProtocol": "no such protocol", "CidrIp": "0.0.0.0/0"}])
    assert "Egress" in refusal
    assert group.state == before
    queue = Stack(cloud, "AWS::SQS::Queue")
    before = queue.state
    assert queue.change("RedrivePolicy", {"maxReceiveCount": 1}) not in {"done", "replaced"}
    assert queue.state == before


def test_a_function_leaves_a_network_with_all_that_it_had_of_it(cloud: LocalCloud) -> None:
    function = Stack(cloud, "AWS::Lambda::Function")
    before = function.state
    assert function.change("VpcConfig", {"Ipv6AllowedForDualStack": True}) == "done"
    assert function.change("VpcConfig", None) == "done"
    assert function.state == before
    wrong = {
        "VpcConfig": {"Ipv6AllowedForDualStack": True},
        "Layers": ["arn:aws:lambda:us-east-1:123456789012:layer:gone:1"],
    }
    assert function.update(function.properties | wrong)
    assert function.state == before


def test_a_metric_filter_that_is_updated_counts_once(cloud: LocalCloud) -> None:
    stack = Stack(cloud, "AWS::Logs::MetricFilter")
    assert stack.change("FilterPattern", "WARNING") == "done"
    filters = cloud.client("logs").describe_metric_filters(filterNamePrefix=stack.identifier)["metricFilters"]
    assert [metric_filter.get("filterPattern") for metric_filter in filters] == ["WARNING"]
