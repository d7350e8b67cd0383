"""A stack: whether it is deployed, what failed, its outputs, resources and events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Blueprint, render_template, url_for
from markupsafe import Markup

from localcloud.cloudformation import templates
from localcloud.console import diagram, reading

blueprint = Blueprint("stacks", __name__)

SHOWN_EVENTS = 60
#: Where the console shows a resource, by its type: from its physical id to an address.
LINKS: dict[str, Callable[[str], str]] = {
    "AWS::CloudFormation::Stack": lambda name: url_for("stacks.show", name=name.rpartition("stack/")[2].split("/")[0]),
    "AWS::CloudWatch::Alarm": lambda name: url_for("alarms.show", name=name),
    "AWS::CloudWatch::CompositeAlarm": lambda name: url_for("alarms.show", name=name),
    "AWS::CloudWatch::Dashboard": lambda name: url_for("dashboards.show", name=name),
    "AWS::DynamoDB::Table": lambda name: url_for("tables.show", name=name),
    "AWS::DynamoDB::GlobalTable": lambda name: url_for("tables.show", name=name),
    "AWS::Events::Rule": lambda name: url_for("rules.show", name=name.rpartition("|")[2]),
    "AWS::Lambda::Function": lambda name: url_for("functions.show", name=name),
    "AWS::Logs::LogGroup": lambda name: url_for("logs.show", group=name),
    "AWS::S3::Bucket": lambda name: url_for("objects.show", bucket=name),
    "AWS::SQS::Queue": lambda name: url_for("queues.show", name=name.rpartition("/")[2]),
    "AWS::Batch::JobQueue": lambda _: url_for("jobs.show_all"),
    "AWS::SecretsManager::Secret": lambda _: url_for("secrets.show_all"),
    "AWS::RDS::DBInstance": lambda _: url_for("databases.show_all"),
    "AWS::Neptune::DBCluster": lambda _: url_for("databases.show_all"),
    "AWS::OpenSearchService::Domain": lambda _: url_for("databases.show_all"),
    "AWS::Timestream::InfluxDBInstance": lambda _: url_for("databases.show_all"),
}
#: Where the console lists all resources of a type.
OVERVIEWS: dict[str, Callable[[], str]] = {
    "AWS::CloudWatch::Alarm": lambda: url_for("alarms.show_all"),
    "AWS::DynamoDB::Table": lambda: url_for("tables.show_all"),
    "AWS::Events::Rule": lambda: url_for("rules.show_all"),
    "AWS::Lambda::Function": lambda: url_for("functions.show_all"),
    "AWS::S3::Bucket": lambda: url_for("objects.show_all"),
    "AWS::SQS::Queue": lambda: url_for("queues.show_all"),
    "AWS::Batch::JobQueue": lambda: url_for("jobs.show_all"),
    "AWS::SecretsManager::Secret": lambda: url_for("secrets.show_all"),
}


@dataclass(frozen=True)
class Stack:
    """A stack, as a card shows it.

    Attributes:
        name: Its name.
        description: Its description.
        status: CloudFormation's word for its state.
        reason: Why it is in that state, if CloudFormation says so.
        changed: When it was last created or updated.
        resources: How many resources it has.
        addresses: Those of its outputs that are web addresses, by the outputs' names.
    """

    name: str
    description: str
    status: str
    reason: str
    changed: datetime | None
    resources: int
    addresses: dict[str, str]


def all_stacks() -> list[Stack]:
    """Return the stacks that exist, by name."""
    described = reading.listed("cloudformation", "describe_stacks", "Stacks")
    return sorted((_stack(stack, resources_of(stack["StackName"])) for stack in described), key=lambda row: row.name)


def resources_of(name: str) -> list[dict[str, Any]]:
    """Return the resources of a stack, as CloudFormation describes them."""
    return reading.listed("cloudformation", "list_stack_resources", "StackResourceSummaries", StackName=name)


def events_of(name: str) -> list[dict[str, Any]]:
    """Return the events of a stack, the latest first."""
    return reading.listed("cloudformation", "describe_stack_events", "StackEvents", StackName=name)


def _stack(described: dict[str, Any], resources: list[dict[str, Any]]) -> Stack:
    outputs = {output["OutputKey"]: str(output["OutputValue"]) for output in described.get("Outputs", [])}
    own = reading.cloud().endpoint  # the addresses of queues, which are for programs
    return Stack(
        name=described["StackName"],
        description=described.get("Description", ""),
        status=described["StackStatus"],
        reason=described.get("StackStatusReason", ""),
        changed=reading.utc(described.get("LastUpdatedTime") or described["CreationTime"]),
        resources=len(resources),
        addresses={
            name: value
            for name, value in sorted(outputs.items())
            if value.startswith(("http://", "https://")) and not value.startswith(own)
        },
    )


@blueprint.get("/stacks/<name>")
def show(name: str) -> str:
    """Show a stack."""
    described = reading.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    resources, events = resources_of(name), events_of(name)
    for resource in resources:
        link = LINKS.get(resource["ResourceType"])
        physical_id = resource.get("PhysicalResourceId")
        resource["address"] = link(physical_id) if link and physical_id else ""
    template = reading.client("cloudformation").get_template(StackName=name)["TemplateBody"]
    failures = [event for event in events if event["ResourceStatus"].endswith("_FAILED")]
    return render_template(
        "stack.html",
        stack=_stack(described, resources),
        outputs=sorted(described.get("Outputs", []), key=lambda output: str(output["OutputKey"])),
        resources=sorted(resources, key=lambda row: (not row["address"], row["ResourceType"])),
        picture=_picture(template if isinstance(template, dict) else templates.parse(template), name, resources),
        failures=failures if "ROLLBACK" in described["StackStatus"] or "FAILED" in described["StackStatus"] else [],
        events=events[:SHOWN_EVENTS],
    )


def _picture(template: dict[str, Any], name: str, resources: list[dict[str, Any]]) -> Markup:
    """Return the diagram of a stack; a box is a link to its resource, or to the list of several."""
    boxes = diagram.boxes(template)
    links: dict[str, str] = {}
    for resource in resources:
        box, address = boxes.get(resource["LogicalResourceId"]), resource["address"]
        if box and address:
            links[box.name] = address if box.kind else OVERVIEWS.get(resource["ResourceType"], lambda: "#resources")()
    title = f"The main resources of {name}, and which refers to which."
    return Markup(diagram.svg(template, title, links))  # noqa: S704 - the diagram escapes names
