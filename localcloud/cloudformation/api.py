"""Resource types as rows of tables over the AWS API: the ``types.yaml`` of each service.

A row names the operations that create, update and delete a type, what ``Ref`` and ``Fn::GetAtt`` give, and
what differs between its properties and the operations' parameters. The rest follows from botocore's models.
"""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import jmespath  # type: ignore[import-untyped]
from botocore.exceptions import ClientError
from moto.core.common_models import CloudFormationModel

from localcloud.cloud.context import Cloud
from localcloud.cloudformation.patches import patches
from localcloud.cloudformation.translation import Properties, known, member_names
from localcloud.hooks import bound
from localcloud.services import rooms

#: Operations whose names begin so keep what a call does not mention; others, as ``put_``, replace everything.
MERGING = ("modify_", "set_", "update_")

#: What takes tags away, by what adds them.
UNTAGGING = {
    "add_tags": "remove_tags",
    "add_tags_to_resource": "remove_tags_from_resource",
    "create_or_update_tags": "delete_tags",
    "create_tags": "delete_tags",
    "tag_open_id_connect_provider": "untag_open_id_connect_provider",
    "tag_queue": "untag_queue",
    "tag_resource": "untag_resource",
    "tag_role": "untag_role",
    "tag_user": "untag_user",
}

#: Columns of a row that name functions of the room's ``adapters``.
FUNCTIONS = {"adapt", "release", "settle"}

#: Columns of a row that hold lists.
LISTS = ("update", "ignored", "merged", "mirrored", "patched", "unsupported", "when_changed")

#: The error codes that say that a resource does not exist, or that somebody is deleting it already.
GONE = re.compile("NotFound|NoSuch|DoesNotExist|NonExistent|KMSInvalidState")

#: What tells one item of a list from the others, where it is not the whole item.
IDENTITIES = ("Key", "AttributeName", "ParameterName", "TopicArn", "QueueUrl")


@dataclass(frozen=True)
class Row:
    """How the AWS API makes one resource type.

    Attributes:
        cloud: The cloud whose API it uses.
        service: boto3's name of the service.
        ref: What ``Ref`` gives, a JMESPath expression over the parameters and the answer of ``create``.
        create: Operation that creates it; a type that only adds to others has none.
        read: Operation that describes it, for attributes that the response of ``create`` lacks or an update changes.
        restore: Operations that create it instead, by the parameter that says what it is restored from. What they do
            not take, ``update`` sets afterwards.
        settle: Waits until what such an operation has begun is done, and does what ``update`` cannot: a function of the
            room's ``adapters``, which is given the parameters, and first the cloud if a parameter is named ``cloud``.
        update: Operations that change it in place.
        patch: Operation that changes it in place by JSON patches of the parameters that ``patched`` names.
        patched: Parameters of ``create`` that ``patch`` changes.
        delete: Operation that deletes it.
        snapshot: Parameter of ``delete`` that takes the name of a final snapshot, for the policy ``Snapshot``.
        name: Parameter that takes the resource's name, made up where none is given.
        lowercase: The service keeps names in lower case.
        longest: How many characters of a name the service takes.
        key: Parameter by which ``update`` and ``delete`` find it; by default whatever they require.
        rename: Parameters by the properties they carry, where more than the case differs.
        defaults: Parameters that no property carries.
        then: Operations by the parameter that each carries, after ``create``; once an item where the parameter
            is a list of calls.
        undo: Operations that take back what ``then`` did.
        release: Frees the resource of what would keep it from being deleted, where that depends on what there is now: a
            function of the room's ``adapters``, which is given the parameters, the physical id and, if its first
            parameter is named ``cloud``, the cloud.
        unset: Operations that an update calls for parameters of ``then`` that the template no longer has.
        resets: The service's defaults by property, for updates that no longer have the property: a map is laid over
            what it was; null where nothing has to be said.
        when_changed: Parameters that ``update`` only takes when they change.
        merged: Parameters whose members the service keeps where an update does not mention them.
        item_parameter: The parameter that an item of a list of plain items becomes in its call: ``{Roles: RoleName}``
            calls once for each role, with its name.
        attributes: ``Fn::GetAtt``'s names as JMESPath expressions, where the answer has another name.
        handles: Parameters of ``delete`` that only the response of ``create`` gives, as JMESPath expressions.
        ignored: Properties without a local meaning.
        unsupported: Properties, or members of them (`Property.Member`), that moto forgets; they are refused.
        mirrored: Parameters of ``create`` that ``update`` takes in another form, which ``adapt`` adds.
        tag: Operation that changes tags, where ``update`` does not.
        tagged: What that operation wants, as a JMESPath expression; by default the ARN.
        always_replaced: A change makes a new one, as a new revision.
        adapt: Translates where names are not enough; a function of the room's ``adapters``, which is given the
            cloud if its first parameter is named ``cloud``.
        gap: What moto lacks.
    """

    cloud: Cloud
    service: str
    ref: str
    gap: str
    create: str = ""
    read: str = ""
    restore: dict[str, str] = field(default_factory=dict)
    update: tuple[str, ...] = ()
    patch: str = ""
    patched: tuple[str, ...] = ()
    delete: str = ""
    snapshot: str = ""
    name: str = ""
    lowercase: bool = False
    longest: int = 255
    key: str = ""
    rename: dict[str, str] = field(default_factory=dict)
    defaults: Properties = field(default_factory=dict)
    then: dict[str, str] = field(default_factory=dict)
    undo: dict[str, str] = field(default_factory=dict)
    unset: dict[str, str] = field(default_factory=dict)
    resets: Properties = field(default_factory=dict)
    when_changed: tuple[str, ...] = ()
    merged: tuple[str, ...] = ()
    item_parameter: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)
    handles: dict[str, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    unsupported: tuple[str, ...] = ()
    mirrored: tuple[str, ...] = ()
    tag: str = ""
    tagged: str = ""
    always_replaced: bool = False
    adapt: Callable[[Properties], Properties] = dict
    release: Callable[[Properties, str], None] = lambda _values, _identifier: None
    settle: Callable[[Properties], None] = lambda _values: None

    @property
    def tags_parameter(self) -> str:
        """The parameter that carries the tags."""
        return self.rename.get("Tags", "Tags")

    def parameters(self, properties: Properties, name: str) -> Properties:
        """Properties under the API's names, with name and defaults.

        Raises:
            ValueError: A property is not carried through to any operation, or has no effect there.
        """
        for path in self.unsupported:
            if _has(properties, path.split(".")):
                raise ValueError(f"property {path} is not supported by the local cloud")
        values = {self.rename.get(key, key): item for key, item in properties.items() if key not in self.ignored}
        if self.name:
            values[self.name] = self._fitting(str(values.get(self.name) or name))
        values = self.adapt({**self.defaults, **values})
        carried = self._carried(values)
        if unknown := [key for key in values if key not in carried]:
            raise ValueError(f"property {unknown[0]} is not supported by the local cloud")
        return values

    def takes(self, name: str) -> bool:
        """Return whether a property reaches an operation."""
        key = self.rename.get(name, name)
        return name not in self.unsupported and key in self._carried({key: None})

    def _carried(self, values: Properties) -> set[str]:
        """Return the values that an operation carries."""
        operations = [self.create, *self.restore.values(), *self.update, self.delete]
        operations += [*self.then.values(), *self.undo.values()]
        members = {member for operation in operations for member in member_names(self.shape(operation))}
        return {key for key in values if key.lower() in members} | {*self.then, *self.mirrored, self.name}

    def _fitting(self, name: str) -> str:
        """The name as the service takes it; what tells a long one from others is at its end."""
        name = name.lower() if self.lowercase else name
        return name if len(name) <= self.longest else f"{name[: self.longest - 13]}-{name[-12:]}"

    def with_resets(self, before: Properties, now: Properties) -> Properties:
        """Return the properties of an update, with the service's defaults for those that only were there before."""
        defaults = {key: self.resets[key] for key in before if key not in now and self.resets.get(key) is not None}
        for key, default in defaults.items():
            if isinstance(default, dict):
                defaults[key] = {**before[key], **default}
        return {**defaults, **now}

    def check_removals(self, before: Properties, now: Properties) -> None:
        """Refuse an update that would leave behind what ``now`` no longer says.

        Raises:
            ValueError: Names the parameter that no operation of the row takes back.
        """
        for key in before.keys() - {*self.mirrored, *self.patched, *self.undo, *self.resets, self.tags_parameter}:
            if key in now:
                called_each = key in self.then and key not in self.unset and isinstance(now[key], list)
                apart = called_each or key in self.merged
                lost = _lost(before[key], now[key]) if apart else []
                name = f"{key}.{lost[0]}" if lost and isinstance(lost[0], str) else key
            else:
                lost = [] if key in self.unset or self._replaces(key) else [key]
                name = key
            if lost:
                raise ValueError(f"the local cloud cannot reset {name}, which the template no longer has, in place")

    def _replaces(self, name: str) -> bool:
        """Return whether the update operation that takes this parameter drops it when it is not mentioned."""
        takers = [operation for operation in self.update if name.lower() in member_names(self.shape(operation))]
        return bool(takers) and not any(operation.startswith(MERGING) for operation in takers)

    def covers(self, name: str) -> bool:
        """Return whether an update operation takes this parameter."""
        return name in self.patched or any(
            name.lower() in member_names(self.shape(operation)) for operation in self.update
        )

    def only_deletes(self, name: str) -> bool:
        """Return whether only the deletion takes this parameter, so that a change of it has no effect before."""
        takers = [operation for operation in (self.create, *self.update, self.delete) if operation]
        taking = [operation for operation in takers if name.lower() in member_names(self.shape(operation))]
        return taking == [self.delete]

    def call(self, operation: str, values: Properties, identifier: str = "") -> Properties:
        """Call an operation with those ``values`` that it takes; ``identifier`` fills its other required members."""
        if not operation:
            return {}
        shape = self.shape(operation)
        parameters = known(values, shape)
        if identifier:
            keys = [self.key] if self.key in shape.members else shape.required_members
            keys = [key for key in keys if key == self.key or key not in parameters]
            parameters |= known(dict.fromkeys(keys, identifier), shape)
        response: Properties = getattr(self.cloud.client(self.service), operation)(**parameters)
        response.pop("ResponseMetadata", None)
        return response

    def make(self, values: Properties) -> Properties:
        """Create the resource, or restore it from what a parameter names, and return the response."""
        restored = [operation for name, operation in self.restore.items() if values.get(name)]
        if not restored:
            return self.call(self.create, values)
        identifier = str(values.get(self.name, ""))
        response = self.call(restored[0], values, identifier)
        self.settle(values)
        taken = member_names(self.shape(restored[0]))
        rest = {name: value for name, value in values.items() if name.lower() not in taken}
        for operation in self.update if rest else ():
            response |= self.call(operation, rest, identifier)
        return response

    def follow(self, operations: dict[str, str], names: Iterable[str], values: Properties, identifier: str) -> None:
        """Call the operation of each parameter in ``names``, once for each item where it is a list of calls."""
        for name, operation in operations.items():
            if name not in names or name not in values:
                continue
            shape, value = self.shape(operation), values[name]
            others = known({key: item for key, item in values.items() if key != name}, shape)
            required = {key: others[key] for key in shape.required_members if key in others}
            if name.lower() in member_names(shape):
                self.call(operation, {**required, name: value}, identifier)
            else:
                for item in value if isinstance(value, list) else [value]:
                    call = item if isinstance(item, dict) else {}
                    if name in self.item_parameter:
                        call = {self.item_parameter[name]: item}
                    self.call(operation, {**required, **call}, identifier)

    def shape(self, operation: str) -> Any:
        """Return botocore's description of an operation's input; None if the operation does not exist."""
        return _input_shape(self.cloud, self.service, operation) if operation else None


def _has(node: Any, path: list[str]) -> bool:
    """Whether there is something at a path of names, in any item of a list."""
    if isinstance(node, list):
        return any(_has(item, path) for item in node)
    return not path or (isinstance(node, dict) and path[0] in node and _has(node[path[0]], path[1:]))


def _lost(before: Any, now: Any) -> list[Any]:
    """Return what identifies the members or items of ``before`` that ``now`` has not."""
    if isinstance(before, dict) and isinstance(now, dict):
        return [key for key in before if key not in now]
    if isinstance(before, list) and isinstance(now, list):
        kept = [_identity(item) for item in now]
        return [identity for identity in map(_identity, before) if identity not in kept]
    return []


def _identity(item: Any) -> Any:
    keys = [item[key] for key in IDENTITIES if key in item] if isinstance(item, dict) else []
    return keys[0] if keys else item


@functools.cache
def _input_shape(cloud: Cloud, service: str, operation: str) -> Any:
    meta = cloud.client(service).meta
    return meta.service_model.operation_model(meta.method_to_api_mapping[operation]).input_shape


class ApiResource:
    """A live resource that a row made; mixed into one ``CloudFormationModel`` for each type."""

    row: Row
    kind: str
    always_replaced: bool

    def __init__(self, properties: Properties, parameters: Properties, state: Properties) -> None:
        self.properties = properties
        self.parameters = parameters
        self.state = state
        self.physical_resource_id = str(self._search(self.row.ref))

    @classmethod
    def cloudformation_type(cls) -> str:
        """Return the type's name."""
        return cls.kind

    @classmethod
    def cloudformation_name_type(cls) -> str:
        """Return the property that holds the resource's name."""
        named = next((key for key, name in cls.row.rename.items() if name == cls.row.name), cls.row.name)
        return named[:1].upper() + named[1:]

    @classmethod
    def create_from_cloudformation_json(
        cls, name: str, body: Properties, _account: str, _region: str, **_context: Any
    ) -> ApiResource:
        """Create the resource."""
        values = cls.row.parameters(body["Properties"], name)
        now = {key: item for key, item in values.items() if key not in cls.row.then}
        created = cls(body["Properties"], values, {**values, **cls.row.make(now)})
        created.state |= cls.row.call(cls.row.read, {}, created.physical_resource_id)
        try:
            cls.row.follow(cls.row.then, values, values, created.physical_resource_id)
        except Exception:
            for cleaning in (created.take_back, created.remove):
                with contextlib.suppress(Exception):  # the reason of the failure matters, not what it left undone
                    cleaning()
            raise
        return created

    @classmethod
    def update_from_cloudformation_json(
        cls, original: ApiResource, name: str, body: Properties, _account: str, _region: str
    ) -> ApiResource:
        """Change the resource in place; properties that it no longer has get the service's defaults.

        What a failed update has changed already is changed back.

        Raises:
            ValueError: No operation of the row changes the property, or takes it back.
        """
        row, before = cls.row, original.parameters
        properties = body["Properties"]
        values = row.parameters(row.with_resets(original.properties, properties), name)
        changed = _changed(before, values)
        for key in changed - row.then.keys() - {*row.mirrored}:
            if not (row.covers(key) or row.only_deletes(key) or (key == row.tags_parameter and row.tag)):
                raise ValueError(f"the local cloud cannot change {key} in place")
        row.check_removals(before, values)
        state = {**original.state, **values}
        try:
            for step in original.steps(values):
                state |= step() or {}
        except Exception:
            former = row.parameters(row.with_resets(properties, original.properties), name)
            for step in cls(properties, values, {**original.state, **values}).steps(former):
                with contextlib.suppress(Exception):  # the reason of the failure matters, not what it left undone
                    step()
            raise
        state |= row.call(row.read, {}, original.physical_resource_id)
        updated = cls(properties, row.parameters(properties, name) if row.resets else values, state)
        if row.tags_parameter in changed:
            updated.tag(before.get(row.tags_parameter) or [])
        return updated

    def steps(self, values: Properties) -> Iterator[Callable[[], Properties | None]]:
        """Yield what gives the resource other parameters, in this order."""
        row, before, identifier = self.row, self.parameters, self.physical_resource_id
        changed = _changed(before, values)
        left_out = row.then.keys() | ({*row.when_changed} - changed)
        now = {key: item for key, item in values.items() if key not in left_out}
        yield functools.partial(row.follow, row.undo, changed, before, identifier)
        yield functools.partial(row.follow, row.unset, before.keys() - values.keys(), before, identifier)
        for operation in row.update:
            if {key.lower() for key in changed} & member_names(row.shape(operation)).keys():
                yield functools.partial(row.call, operation, now, identifier)
        if patched := changed & {*row.patched}:
            shape = row.shape(row.create)
            former, wanted = ({key: item for key, item in side.items() if key in patched} for side in (before, values))
            operations = patches(known(former, shape), known(wanted, shape))
            yield functools.partial(row.call, row.patch, {**now, "patchOperations": operations}, identifier)
        yield functools.partial(row.follow, row.then, changed, values, identifier)

    def tag(self, before: Any) -> None:
        """Give the resource its tags, and take away those that it only had before."""
        row, tags = self.row, self.parameters.get(self.row.tags_parameter) or []
        adding = row.tag or row.then.get("Tags", "")
        kept = {_tag_key(tag) for tag in _tags(tags)}
        lost = [tag for tag in _tags(before) if _tag_key(tag) not in kept]
        identifier = self.tagged_by if row.tag else self.physical_resource_id
        if lost:
            row.call(UNTAGGING[adding], {"TagKeys": [*map(_tag_key, lost)], "Tags": lost}, identifier)
        if row.tag and tags:
            row.call(row.tag, {row.tags_parameter: tags}, identifier)

    @property
    def tagged_by(self) -> str:
        """What the service's tagging operation wants: an ARN where there is one, but a queue's URL."""
        if self.row.tag == "tag_queue":
            return self.physical_resource_id
        return str(self._search(self.row.tagged or self.row.attributes.get("Arn", self.row.ref)))

    def delete(self, _account: str = "", _region: str = "", *, snapshot: str = "") -> None:
        """Delete the resource, after taking back what was added to it, and leave a snapshot if it is named."""
        self.take_back()
        self.remove(snapshot)

    def take_back(self) -> None:
        """Undo what followed the creation, where that is still there."""
        with _gone_is_fine():
            self.row.follow(self.row.undo, self.parameters, self.parameters, self.physical_resource_id)
            self.row.release(self.parameters, self.physical_resource_id)

    def remove(self, snapshot: str = "") -> None:
        """Delete the resource by its key, if it has one; a resource that is already gone is not an error."""
        row = self.row
        values = {**self.parameters, **{name: self._search(path) for name, path in self.row.handles.items()}}
        flags = {key: item for key, item in values.items() if key in row.defaults}
        if snapshot:
            flags |= {row.snapshot: snapshot, "SkipFinalSnapshot": False}
        with _gone_is_fine():
            row.call(row.delete, flags if row.key else values, self.physical_resource_id)

    def get_cfn_attribute(self, name: str) -> Any:
        """Return what ``Fn::GetAtt`` gives."""
        return self._search(self.row.attributes.get(name) or f'"{name}" || (*."{name}" | [0])')

    def _search(self, path: str) -> Any:
        value = jmespath.search(path, self.state)
        if value is None:
            raise ValueError(f"{self.kind}: no {path}")
        return value


@contextlib.contextmanager
def _gone_is_fine() -> Iterator[None]:
    """Let a deletion succeed whose resource is gone."""
    try:
        yield
    except ClientError as error:
        if not GONE.search(error.response["Error"]["Code"]):
            raise


def _changed(before: Properties, after: Properties) -> set[str]:
    """The names of the parameters that differ."""
    return {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}


def _tags(tags: Any) -> list[Properties]:
    """Tags as a list, which some types declare as a map."""
    return [{"Key": key, "Value": value} for key, value in tags.items()] if isinstance(tags, dict) else tags


def _tag_key(tag: Properties) -> str:
    return str(tag["Key"] if "Key" in tag else tag["TagKey"])  # KMS has names of its own


def install(cloud: Cloud) -> None:
    """Make a ``CloudFormationModel`` of every row of every room, where moto looks for its own.

    Raises:
        AttributeError: A row names a function that its room's ``adapters`` does not have.
    """
    for room in rooms():
        adapters = room.module("adapters")
        for kind, columns in room.table("types.yaml").items():
            lists = {name: tuple(columns[name]) for name in LISTS if name in columns}
            names = columns.keys() & FUNCTIONS
            functions = {name: bound(getattr(adapters, columns[name]), cloud) for name in names}
            row = Row(cloud, **{**columns, **lists, **functions})
            namespace = {
                "__module__": __name__,
                "row": row,
                "kind": kind,
                "always_replaced": row.always_replaced,
            }
            cloud.keep(type(kind.replace("::", ""), (ApiResource, CloudFormationModel), namespace))
