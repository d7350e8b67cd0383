"""What a stack needs of an account, read from its template as `cdk synth` writes it.

Only what the template says literally is read, and what its mappings and the defaults of its parameters say. What
another resource of the stack provides is there by the time it is needed, so no check asks for it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from infra.stack import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Json = dict[str, Any]
Zone = int | str
"""A zone as a template names it: its place in the region's list of zones, or its name, such as us-east-1a."""

_OPTIONAL = "IngestionJobs"  # which only `devops-metrics ingest --jobs` submits
_SUBNET = re.compile(r"subnet-[0-9a-f]+")


@dataclass(frozen=True)
class Resource:
    """A resource of a template.

    Attributes:
        name: Logical id.
        kind: Its type, such as `AWS::EC2::VPC`.
        properties: What the template says about it.
    """

    name: str
    kind: str
    properties: Json


@dataclass(frozen=True)
class Launch:
    """Instances of EC2 that a resource starts, at once or later.

    Attributes:
        resource: Logical id of the resource.
        types: Instance types, or families such as `m7i`, of which each is good enough.
        subnets: Where they start; empty if the template leaves that open.
        image: The machine image: its id, or `resolve:ssm:` and the SSM parameter that holds it; empty where AWS
            chooses one.
        instances: How many start during the deployment.
        vcpus: The most vCPUs that a compute environment of AWS Batch may use; 0 where it is none.
        spot: Whether they are spot instances.
    """

    resource: str
    types: tuple[str, ...]
    subnets: tuple[Any, ...] = ()
    image: str = ""
    instances: int = 0
    vcpus: int = 0
    spot: bool = False


class Template:
    """A stack that is going to be deployed.

    Attributes:
        stack: The stack's name.
        section: The name of its settings, such as `web_app`.
        before: The stacks that are deployed before it, and count against the same quotas.
    """

    def __init__(
        self, stack: str, body: Mapping[str, Any], section: str = "", before: tuple[Template, ...] = ()
    ) -> None:
        self.stack = stack
        self.section = section
        self.before = before
        self._body = body
        self._resources = [
            Resource(name, resource["Type"], resource.get("Properties", {}))
            for name, resource in body["Resources"].items()
        ]

    def resources(self, *kinds: str) -> Iterator[Resource]:
        """Yield the resources of some types; all of them if no type is given."""
        return (resource for resource in self._resources if not kinds or resource.kind in kinds)

    def resource(self, reference: Any) -> Resource | None:
        """Return the resource that `Ref` or `Fn::GetAtt` names; None for anything else."""
        if not isinstance(reference, dict):
            return None
        name = reference.get("Ref") or (reference.get("Fn::GetAtt") or [None])[0]
        return next((resource for resource in self._resources if resource.name == name), None)

    def text(self, value: Any) -> str:
        """Return a value of the template as text; empty if it is not known before the deployment."""
        match value:
            case str() | int() | float():
                return str(value)
            case {"Ref": name}:
                parameter = self._body.get("Parameters", {}).get(name, {})
                return str(parameter.get("Default", ""))
            case {"Fn::FindInMap": [mapping, first, second]} if isinstance(first, str) and isinstance(second, str):
                return self.text(self._body.get("Mappings", {}).get(mapping, {}).get(first, {}).get(second))
        return ""

    @cached_property
    def bootstrap(self) -> tuple[str, int] | None:
        """The SSM parameter with the version of the CDK's bootstrap, and the least version; None if it needs none."""
        parameter = self._body.get("Parameters", {}).get("BootstrapVersion")
        if not parameter:
            return None
        refused = re.findall(
            r'"(\d+)"', str(self._body.get("Rules", {}).get("CheckBootstrapVersion", {})).replace("'", '"')
        )
        return str(parameter["Default"]), max(map(int, refused), default=0) + 1

    def strings(self) -> Iterator[tuple[str, str]]:
        """Yield every text in the properties of resources, with the logical id of its resource."""
        for resource in self._resources:
            yield from ((resource.name, text) for text in _strings(resource.properties))

    def identifiers(self, pattern: str) -> dict[str, str]:
        """Return the texts that match a pattern as a whole, each with the first resource that says it."""
        first_resources: dict[str, str] = {}
        for name, text in self.strings():
            if re.fullmatch(pattern, text):
                first_resources.setdefault(text, name)
        return first_resources

    def launches(self) -> Iterator[Launch]:
        """Yield what starts instances: groups, single instances, compute environments, and launch templates of none."""
        launched: set[str] = set()
        for resource in self.resources("AWS::EC2::Instance"):
            template = self._launch_template(resource, launched)
            subnets = (resource.properties["SubnetId"],) if "SubnetId" in resource.properties else ()
            yield self._launch(resource, template | resource.properties, subnets, instances=1)
        for resource in self.resources("AWS::AutoScaling::AutoScalingGroup"):
            template = self._launch_template(resource, launched)
            number = int(self.text(resource.properties.get("DesiredCapacity", resource.properties["MinSize"])) or 0)
            yield self._launch(
                resource, template, tuple(resource.properties.get("VPCZoneIdentifier", ())), instances=number
            )
        for resource in self.resources("AWS::Batch::ComputeEnvironment"):
            self._launch_template(resource, launched)
            compute = resource.properties["ComputeResources"]
            if compute["Type"] in {"EC2", "SPOT"}:
                yield Launch(
                    resource.name,
                    tuple(map(self.text, compute["InstanceTypes"])),
                    tuple(compute["Subnets"]),
                    vcpus=int(self.text(compute["MaxvCpus"]) or 0),
                    spot=compute["Type"] == "SPOT",
                )
        for resource in self.resources("AWS::EC2::LaunchTemplate"):
            data = resource.properties["LaunchTemplateData"]
            if resource.name not in launched and "InstanceType" in data:
                subnet_ids = [
                    interface["SubnetId"] for interface in data.get("NetworkInterfaces", ()) if "SubnetId" in interface
                ]
                yield self._launch(resource, data, tuple(subnet_ids))

    def _launch(self, resource: Resource, data: Json, subnets: tuple[Any, ...], instances: int = 0) -> Launch:
        kind, image = self.text(data.get("InstanceType")), self.text(data.get("ImageId"))
        return Launch(resource.name, (kind,) if kind else (), subnets, image, instances)

    def _launch_template(self, resource: Resource, launched: set[str]) -> Json:
        """Return the data of the launch template that a resource uses, and note the template's name."""
        properties = resource.properties
        named = properties.get("LaunchTemplate") or properties.get("ComputeResources", {}).get("LaunchTemplate") or {}
        template = self.resource(named.get("LaunchTemplateId"))
        if template is None:
            return {}
        launched.add(template.name)
        data: Json = template.properties["LaunchTemplateData"]
        return data

    def zone(self, subnet: Any) -> Zone | None:
        """Return the zone of a subnet that the stack makes; None for another one."""
        resource = self.resource(self.subnet(subnet))
        match resource.properties.get("AvailabilityZone") if resource else None:
            case {"Fn::Select": [index, {"Fn::GetAZs": _}]}:
                return int(index)
            case str() as name:
                return name
        return None

    @staticmethod
    def subnet(value: Any) -> Any:
        """Return the subnet that a template chooses from a list of them, or the value itself."""
        match value:
            case {"Fn::Select": [index, list() as subnets]}:
                return subnets[int(index)]
        return value

    def starting_subnets(self) -> dict[str, bool]:
        """Return the existing subnets in which instances and jobs start, and whether all get a public address there.

        Jobs without which the stack does what it is for are left out.
        """
        starts = [(subnet, False) for launch in self.launches() for subnet in launch.subnets]
        for resource in self.resources("AWS::Batch::ComputeEnvironment"):
            compute = resource.properties["ComputeResources"]
            on_fargate = compute["Type"] in {"FARGATE", "FARGATE_SPOT"}  # whose jobs ask for an address themselves
            if on_fargate and not resource.name.startswith(_OPTIONAL):
                starts += [(subnet, True) for subnet in compute["Subnets"]]
        addresses: dict[str, bool] = {}
        for value, has_address in starts:
            subnet = self.subnet(value)
            if isinstance(subnet, str) and _SUBNET.fullmatch(subnet):
                addresses[subnet] = addresses.get(subnet, True) and has_address
        return addresses

    def function_subnets(self) -> list[str]:
        """Return the existing subnets in which functions run."""
        functions = [*self.resources("AWS::Lambda::Function")]
        subnets = [
            value for function in functions for value in function.properties.get("VpcConfig", {}).get("SubnetIds", ())
        ]
        for schedule in self.resources("AWS::SecretsManager::RotationSchedule"):
            subnets += self.text(schedule.properties.get("HostedRotationLambda", {}).get("VpcSubnetIds")).split(",")
        return _existing(subnets)

    def graph_subnets(self) -> list[str]:
        """Return the existing subnets in which Neptune stands."""
        groups = self.resources("AWS::Neptune::DBSubnetGroup")
        return _existing(subnet for group in groups for subnet in group.properties["SubnetIds"])

    def endpoints(self) -> dict[str, str]:
        """Return the services to which the stack makes interface endpoints, such as `secretsmanager`, by logical id."""
        return {
            resource.name: _service(resource.properties["ServiceName"])
            for resource in self.resources("AWS::EC2::VPCEndpoint")
            if resource.properties.get("VpcEndpointType") == "Interface"
        }

    def setting(self, name: str) -> str:
        """Return a setting of the stack that differs from its default; empty if it does not."""
        chosen = self._body.get("Metadata", {}).get(SETTINGS, {})
        return str(chosen.get(f"{self.section}.{name}", ""))

    def subnets(self) -> dict[str, str]:
        """Return the subnets that exist before the stack, each with a resource that uses it."""
        return self.identifiers(_SUBNET.pattern)


def _existing(subnets: Iterable[Any]) -> list[str]:
    """Return those of some subnets that exist before the stack."""
    return sorted({subnet for subnet in subnets if isinstance(subnet, str) and _SUBNET.fullmatch(subnet)})


def _service(name: Any) -> str:
    """Return what follows the region in the name of an endpoint's service: `com.amazonaws.REGION.secretsmanager`."""
    match name:
        case {"Fn::Join": [_, [*_, str() as last]]}:
            return last.lstrip(".")
        case str():
            return name.split(".", 3)[-1]
    return ""


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)
