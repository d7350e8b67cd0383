"""What a template costs: every month, used or not; and by use."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from contract.errors import InputError
from contract.prices import PRICES, Price
from infra.config import Config
from infra.templates import templates

Json = dict[str, Any]
VCPUS_OF_XLARGE = 4


class UnknownCostError(InputError):
    """A template has what the price file does not know; the message says what, and where to add it."""


def _file(name: str) -> Any:
    return yaml.safe_load(Path(__file__).with_name(name).read_text(encoding="utf-8"))


TYPES: dict[str, Json] = _file("types.yaml")
#: Why something may bill while idle, by stack and resource type.
ALWAYS_ON: dict[str, dict[str, str]] = _file("always_on.yaml")


def price(name: str) -> Price:
    """A price by its name.

    Raises:
        UnknownCostError: There is none.
    """
    if name not in PRICES:
        raise UnknownCostError(f"There is no price for {name}. Add it to contract/prices.json.")
    return PRICES[name]


@dataclass(frozen=True)
class Charge:
    """What one resource bills every month, used or not.

    Attributes:
        resource: Logical id.
        kind: Resource type.
        price: Of one unit.
        quantity: Units.
    """

    resource: str
    kind: str
    price: Price
    quantity: float

    @property
    def usd(self) -> float:
        """USD a month."""
        return self.quantity * self.price.month


@dataclass(frozen=True)
class Estimate:
    """What a stack costs.

    Attributes:
        stack: Its name.
        charges: What bills while idle.
        uses: What bills by use.
    """

    stack: str
    charges: list[Charge]
    uses: list[Price]

    @property
    def free(self) -> float:
        """USD of it that an account does not pay which has nothing else, because AWS gives some for nothing."""
        return free([self])

    @property
    def idle(self) -> float:
        """USD a month while nobody uses it, in an account that has nothing else."""
        return sum(charge.usd for charge in self.charges) - self.free


def free(estimates: Iterable[Estimate]) -> float:
    """Return the USD a month that AWS does not charge for these stacks if the account has nothing else."""
    counted: dict[Price, float] = {}
    for charge in (charge for estimate in estimates for charge in estimate.charges):
        counted[charge.price] = counted.get(charge.price, 0) + charge.quantity
    return sum(min(tariff.free, quantity) * tariff.month for tariff, quantity in counted.items())


def estimate(stack: str, template: Json) -> Estimate:
    """Return the cost of a stack from its template without parameters (as `cdk synth` writes it).

    Raises:
        UnknownCostError: The template has a type without a row, or something without a price.
    """
    costs = _Template(template)
    charges: list[Charge] = []
    uses: list[Price] = []
    for name, body in template["Resources"].items():
        charges += costs.charges(name, body)
        uses += [use for use in costs.uses(name, body) if use not in uses]
    return Estimate(stack, charges, uses)


def estimates(config: Config, names: Collection[str] = ()) -> list[Estimate]:
    """Estimate what stacks cost under some settings; all of them by default."""
    return [estimate(stack, template) for stack, template in templates(config, names).items()]


def not_opted_into(estimates: Iterable[Estimate]) -> list[str]:
    """Return a line for each resource that bills while idle although nobody has given a reason."""
    return [
        f"{estimate.stack}: {charge.resource} ({charge.kind}) bills {charge.usd:.2f} USD a month while idle: "
        "make it scale to zero, or say in infra/cost/always_on.yaml why it may."
        for estimate in estimates
        for charge in estimate.charges
        if charge.kind not in ALWAYS_ON.get(estimate.stack, {}) and not _covered(charge, estimate)
    ]


def _covered(charge: Charge, estimate: Estimate) -> bool:
    """Return whether a stack's charges of this kind cost nothing as long as the account has nothing else."""
    return sum(similar.quantity for similar in estimate.charges if similar.price == charge.price) <= charge.price.free


class _Template:
    """What depends on the properties of a resource, or on the resources that it names."""

    def __init__(self, template: Json) -> None:
        self._resources: dict[str, Json] = template["Resources"]

    def charges(self, name: str, body: Json) -> Iterator[Charge]:
        """Yield the monthly charges of a resource."""
        kind = body["Type"]
        row = TYPES.get(kind)
        if row is None:
            raise UnknownCostError(f"{name}: Nobody has said what {kind} costs. Add a row to infra/cost/types.yaml.")
        for price_name in row.get("month", ()):
            yield Charge(name, kind, price(price_name), 1)
        if row.get("counted"):
            for price_name, quantity in self._counted[kind](name, body.get("Properties", {})):
                if quantity:
                    yield Charge(name, kind, price(price_name), quantity)

    def uses(self, name: str, body: Json) -> Iterator[Price]:
        """Yield the prices that a resource bills by use."""
        kind, properties = body["Type"], body.get("Properties", {})
        yield from (price(price_name) for price_name in TYPES[kind].get("use", ()))
        if kind == "AWS::Batch::ComputeEnvironment":
            resources = properties["ComputeResources"]
            on_fargate = resources["Type"].startswith("FARGATE")
            yield from map(price, ["fargate.vcpu", "fargate.gib"] if on_fargate else self._job_instances(resources))
            yield price("ipv4")
        if kind == "AWS::EC2::VPCEndpoint" and properties.get("VpcEndpointType") == "Interface":
            yield price("endpoint.data")
        if kind == "AWS::EC2::LaunchTemplate" and not self._is_launched_by_stack(name):
            data = properties["LaunchTemplateData"]
            yield from (price(f"ec2.{data[key]}") for key in ("InstanceType",) if key in data)
            yield price("ebs.gp3")

    @cached_property
    def _counted(self) -> dict[str, Callable[[str, Json], Iterator[tuple[str, float]]]]:
        return {
            "AWS::AutoScaling::AutoScalingGroup": self._group,
            "AWS::Batch::ComputeEnvironment": self._environment,
            "AWS::EC2::Instance": self._instance,
            "AWS::EC2::VPCEndpoint": self._endpoint,
            "AWS::ElasticLoadBalancingV2::LoadBalancer": self._balancer,
            "AWS::Neptune::DBInstance": self._graph,
            "AWS::OpenSearchService::Domain": self._search,
            "AWS::RDS::DBInstance": self._database,
            "AWS::Timestream::InfluxDBCluster": self._influxdb,
            "AWS::Timestream::InfluxDBInstance": self._influxdb,
        }

    def _group(self, _: str, properties: Json) -> Iterator[tuple[str, float]]:
        number = int(properties.get("DesiredCapacity") or properties["MinSize"])
        for price_name, quantity in self._launched(properties, properties["VPCZoneIdentifier"]):
            yield price_name, quantity * number

    def _instance(self, name: str, properties: Json) -> Iterator[tuple[str, float]]:
        has_own_address = any(
            body["Type"] == "AWS::EC2::EIPAssociation" and body["Properties"]["InstanceId"] == {"Ref": name}
            for body in self._resources.values()
        )
        yield from self._launched(properties, [] if has_own_address else [properties["SubnetId"]])

    def _launched(self, properties: Json, subnets: list[Any]) -> Iterator[tuple[str, float]]:
        """One instance of a launch template: itself, its disk, its address, its metrics."""
        launched = properties["LaunchTemplate"]["LaunchTemplateId"]["Ref"]
        data = self._resources[launched]["Properties"]["LaunchTemplateData"]
        yield f"ec2.{data['InstanceType']}", 1
        yield "ebs.gp3", sum(device["Ebs"]["VolumeSize"] for device in data["BlockDeviceMappings"])
        yield "ipv4", 1 if any(self._gives_addresses(subnet) for subnet in subnets) else 0
        yield "ec2.monitoring", 1 if _is_on(data.get("Monitoring", {}).get("Enabled")) else 0

    def _gives_addresses(self, subnet: Any) -> bool:
        """Whether what starts in a subnet gets a public address; in one that the template does not make, it may."""
        if not isinstance(subnet, dict) or subnet.get("Ref") not in self._resources:
            return True
        return bool(self._resources[subnet["Ref"]]["Properties"].get("MapPublicIpOnLaunch"))

    def _environment(self, _: str, properties: Json) -> Iterator[tuple[str, float]]:
        resources = properties["ComputeResources"]
        least = int(resources.get("MinvCpus", 0))
        if least:
            yield self._job_instances(resources)[0], least / VCPUS_OF_XLARGE

    @staticmethod
    def _job_instances(resources: Json) -> list[str]:
        """Prices of what a job may run on; of a family, its smallest with four vCPUs."""
        return [f"ec2.{kind if '.' in kind else f'{kind}.xlarge'}" for kind in resources["InstanceTypes"]] + ["ebs.gp3"]

    def _is_launched_by_stack(self, template: str) -> bool:
        """Whether a group, an instance or a compute environment of the stack starts what the template describes."""
        return any(
            {"LaunchTemplateId": {"Ref": template}}.items() <= _launch(body).items()
            for body in self._resources.values()
            if body["Type"] != "AWS::EC2::LaunchTemplate"
        )

    def _endpoint(self, _: str, properties: Json) -> Iterator[tuple[str, float]]:
        yield "endpoint", len(properties["SubnetIds"]) if properties.get("VpcEndpointType") == "Interface" else 0

    def _balancer(self, _: str, properties: Json) -> Iterator[tuple[str, float]]:
        yield "balancer", 1
        yield "ipv4", len(properties["Subnets"]) if properties.get("Scheme") != "internal" else 0

    def _graph(self, name: str, properties: Json) -> Iterator[tuple[str, float]]:
        if properties["DBInstanceClass"] != "db.serverless":
            raise UnknownCostError(
                f"{name}: There is no price for {properties['DBInstanceClass']}, only for db.serverless."
            )
        cluster = self._resources[properties["DBClusterIdentifier"]["Ref"]]["Properties"]
        yield "neptune.capacity", float(cluster["ServerlessScalingConfiguration"]["MinCapacity"])

    def _search(self, _: str, properties: Json) -> Iterator[tuple[str, float]]:
        nodes = properties["ClusterConfig"]
        number = int(nodes.get("InstanceCount", 1))
        yield f"opensearch.{nodes['InstanceType']}", number
        yield "opensearch.gp3", number * float(properties["EBSOptions"]["VolumeSize"])

    def _database(self, _: str, properties: Json) -> Iterator[tuple[str, float]]:
        zones = 2 if _is_on(properties.get("MultiAZ")) else 1
        yield f"rds.{properties['DBInstanceClass']}", zones
        yield "rds.gp3", zones * float(properties["AllocatedStorage"])

    def _influxdb(self, _: str, properties: Json) -> Iterator[tuple[str, float]]:
        yield f"influxdb.{properties['DbInstanceType']}", 1
        if "AllocatedStorage" in properties:  # InfluxDB 3 stores in S3, by what it holds
            yield "influxdb.storage", float(properties["AllocatedStorage"])


def _is_on(switch: Any) -> bool:
    """Whether a property is true; in templates for the console, it is text."""
    return str(switch).lower() == "true"


def _launch(body: Json) -> Json:
    """The launch template that a resource names."""
    properties = body.get("Properties", {})
    named = properties.get("LaunchTemplate") or properties.get("ComputeResources", {}).get("LaunchTemplate") or {}
    return dict(named)
