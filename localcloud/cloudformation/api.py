"""Resource types as rows of a table over the AWS API (``types.yaml``).

A row names the operations that create, update and delete a type, what ``Ref`` and ``Fn::GetAtt`` give, and
what differs between its properties and the operations' parameters. The rest follows from botocore's models.
"""

import contextlib
import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import jmespath  # type: ignore[import-untyped]
import yaml
from moto.core.common_models import CloudFormationModel

from localcloud.cloud.background import client
from localcloud.cloudformation import adapters
from localcloud.cloudformation.translation import Properties, known, member_names


@dataclass(frozen=True)
class Row:
    """How the AWS API makes one resource type.

    Attributes:
        service: boto3's name of the service.
        ref: What ``Ref`` gives, a JMESPath expression over the parameters and the answer of ``create``.
        create: Operation that creates it; a type that only adds to others has none.
        update: Operations that change it in place.
        delete: Operation that deletes it.
        name: Parameter that takes the resource's name, made up where none is given.
        lowercase: The service keeps names in lower case.
        longest: How many characters of a name the service takes.
        key: Parameter by which ``update`` and ``delete`` find it; by default whatever they require.
        rename: Parameters by the properties they carry, where more than the case differs.
        defaults: Parameters that no property carries.
        then: Operations by the parameter that each carries, after ``create``; once an item where the parameter
            is a list of calls.
        undo: Operations that take back what ``then`` did.
        each: Parameters of the calls for lists of plain items: ``{Roles: RoleName}`` calls once a role, by its name.
        attributes: ``Fn::GetAtt``'s names as JMESPath expressions, where the answer has another name.
        ignored: Properties without a local meaning.
        mirrored: Parameters of ``create`` that ``update`` takes in another form, which ``adapt`` adds.
        tag: Operation that changes tags, where ``update`` does not.
        always_replaced: A change makes a new one, as a new revision.
        adapt: Translates where names are not enough; a function of ``adapters``.
        gap: What moto lacks.
    """

    service: str
    ref: str
    gap: str
    create: str = ""
    update: tuple[str, ...] = ()
    delete: str = ""
    name: str = ""
    lowercase: bool = False
    longest: int = 255
    key: str = ""
    rename: dict[str, str] = field(default_factory=dict)
    defaults: Properties = field(default_factory=dict)
    then: dict[str, str] = field(default_factory=dict)
    undo: dict[str, str] = field(default_factory=dict)
    each: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    mirrored: tuple[str, ...] = ()
    tag: str = ""
    always_replaced: bool = False
    adapt: Callable[[Properties], Properties] = dict

    def parameters(self, properties: Properties, name: str) -> Properties:
        """Properties under the API's names, with name and defaults.

        Raises:
            ValueError: A property is not carried through to any operation.
        """
        values = {self.rename.get(key, key): item for key, item in properties.items() if key not in self.ignored}
        if self.name:
            values[self.name] = self._fitting(name)
        values = self.adapt({**self.defaults, **values})
        operations = [self.create, *self.update, self.delete, *self.then.values(), *self.undo.values()]
        carried = {member for operation in operations for member in member_names(self._shape(operation))}
        for key in values:
            if key.lower() not in carried and key not in {*self.then, *self.mirrored, self.name}:
                raise ValueError(f"property {key} is not supported by the local cloud")
        return values

    def _fitting(self, name: str) -> str:
        """The name as the service takes it; what tells a long one from others is at its end."""
        name = name.lower() if self.lowercase else name
        return name if len(name) <= self.longest else f"{name[: self.longest - 13]}-{name[-12:]}"

    def covers(self, name: str) -> bool:
        """Whether an update operation takes this parameter."""
        return any(name.lower() in member_names(self._shape(operation)) for operation in self.update)

    def call(self, operation: str, values: Properties, identifier: str = "") -> Properties:
        """Call an operation with what it takes of ``values``; ``identifier`` fills what it requires beyond."""
        if not operation:
            return {}
        shape = self._shape(operation)
        parameters = known(values, shape)
        if identifier:
            keys = [self.key] if self.key in shape.members else shape.required_members
            keys = [key for key in keys if key == self.key or key not in parameters]
            parameters |= known(dict.fromkeys(keys, identifier), shape)
        answer: Properties = getattr(client(self.service), operation)(**parameters)
        answer.pop("ResponseMetadata", None)
        return answer

    def follow(self, operations: dict[str, str], names: Iterable[str], values: Properties, identifier: str) -> None:
        """Call the operation of each parameter in ``names``, once for each item where it is a list of calls."""
        for name, operation in operations.items():
            if name not in names or name not in values:
                continue
            shape, value = self._shape(operation), values[name]
            required = {key: values[key] for key in shape.required_members if key in values and key != name}
            if name.lower() in member_names(shape):
                self.call(operation, {**required, name: value}, identifier)
            else:
                for item in value if isinstance(value, list) else [value]:
                    call = {self.each[name]: item} if name in self.each else item if isinstance(item, dict) else {}
                    self.call(operation, {**required, **call}, identifier)

    def _shape(self, operation: str) -> Any:
        return _input_shape(self.service, operation) if operation else None


@functools.cache
def _input_shape(service: str, operation: str) -> Any:
    meta = client(service).meta
    return meta.service_model.operation_model(meta.method_to_api_mapping[operation]).input_shape


class ApiResource:
    """A live resource that a row made; mixed into one ``CloudFormationModel`` a type."""

    row: Row
    kind: str
    always_replaced: bool

    def __init__(self, parameters: Properties, state: Properties) -> None:
        self.parameters = parameters
        self.state = state
        self.physical_resource_id = str(self._search(self.row.ref))

    @classmethod
    def cloudformation_type(cls) -> str:
        """The type's name."""
        return cls.kind

    @classmethod
    def cloudformation_name_type(cls) -> str:
        """The property that holds the resource's name."""
        named = next((key for key, name in cls.row.rename.items() if name == cls.row.name), cls.row.name)
        return named[:1].upper() + named[1:]

    @classmethod
    def create_from_cloudformation_json(
        cls, name: str, body: Properties, _account: str, _region: str, **_context: Any
    ) -> "ApiResource":
        """Create the resource."""
        values = cls.row.parameters(body["Properties"], name)
        now = {key: item for key, item in values.items() if key not in cls.row.then}
        created = cls(values, {**values, **cls.row.call(cls.row.create, now)})
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
        cls, original: "ApiResource", name: str, body: Properties, _account: str, _region: str
    ) -> "ApiResource":
        """Change the resource in place.

        Raises:
            ValueError: No operation of the row changes the property.
        """
        row, before, identifier = cls.row, original.parameters, original.physical_resource_id
        values = row.parameters(body["Properties"], name)
        changed = {key for key in before.keys() | values.keys() if before.get(key) != values.get(key)}
        for key in changed - row.then.keys() - {*row.mirrored}:
            if not row.covers(key) and not (key == "Tags" and row.tag):
                raise ValueError(f"the local cloud cannot change {key} in place")
        state = {**original.state, **values}
        now = {key: item for key, item in values.items() if key not in row.then}
        row.follow(row.undo, changed, before, identifier)
        for operation in row.update:
            if changed & {key for key in now if key.lower() in member_names(_input_shape(row.service, operation))}:
                state |= row.call(operation, now, identifier)
        row.follow(row.then, changed, values, identifier)
        updated = cls(values, state)
        if "Tags" in changed and row.tag:
            row.call(row.tag, {"Tags": values.get("Tags", [])}, updated.tagged_by)
        return updated

    @property
    def tagged_by(self) -> str:
        """What the service's tagging operation wants: an ARN where there is one."""
        return str(jmespath.search(self.row.attributes.get("Arn", self.row.ref), self.state))

    def delete(self, _account: str = "", _region: str = "") -> None:
        """Delete the resource, after taking back what was added to it."""
        self.take_back()
        self.remove()

    def take_back(self) -> None:
        """Undo what followed the creation."""
        self.row.follow(self.row.undo, self.parameters, self.parameters, self.physical_resource_id)

    def remove(self) -> None:
        """Delete the resource itself; one with a key is found by that alone."""
        row, values = self.row, self.parameters
        flags = {key: item for key, item in values.items() if key in row.defaults}
        row.call(row.delete, flags if row.key else values, self.physical_resource_id)

    def get_cfn_attribute(self, name: str) -> Any:
        """What ``Fn::GetAtt`` gives."""
        return self._search(self.row.attributes.get(name) or f'"{name}" || (*."{name}" | [0])')

    def _search(self, path: str) -> Any:
        found = jmespath.search(path, self.state)
        if found is None:
            raise ValueError(f"{self.kind}: no {path}")
        return found


def install() -> None:
    """Make a ``CloudFormationModel`` of every row, where moto looks for its own."""
    rows = yaml.load(files(__package__).joinpath("types.yaml").read_text(), yaml.CSafeLoader)
    for kind, columns in rows.items():
        lists = {name: tuple(columns[name]) for name in ("update", "ignored", "mirrored") if name in columns}
        functions = {"adapt": getattr(adapters, columns["adapt"])} if "adapt" in columns else {}
        row = Row(**{**columns, **lists, **functions})
        name = kind.replace("::", "")
        namespace = {"row": row, "kind": kind, "always_replaced": row.always_replaced}
        _models.append(type(name, (ApiResource, CloudFormationModel), namespace))


_models: list[type] = []  # moto finds subclasses by weak references
