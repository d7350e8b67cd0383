"""Stacks that tests create, change and delete, whose resources are written as keywords."""

from __future__ import annotations

import json
import uuid
from typing import Any

from localcloud import LocalCloud

Json = dict[str, Any]


def resource(kind: str, **properties: Any) -> Json:
    """A resource of a type, whose name is without `AWS::`."""
    return {"Type": f"AWS::{kind}", "Properties": properties}


def ref(name: str) -> Json:
    return {"Ref": name}


def attribute(name: str, member: str) -> Json:
    return {"Fn::GetAtt": [name, member]}


class Stack:
    """A stack in a cloud.

    Args:
        outputs: What the stack says of itself, by name; an update says it again.
        resources: Its resources by their logical names.
    """

    def __init__(self, cloud: LocalCloud, outputs: Json | None = None, **resources: Json) -> None:
        self.name, self.cloudformation = f"stack-{uuid.uuid4().hex[:10]}", cloud.client("cloudformation")
        self.outputs = outputs
        self.cloudformation.create_stack(**self._request(resources))
        assert self.status() == "CREATE_COMPLETE", self.reasons()

    def update(self, **resources: Json) -> str:
        """Give the stack other resources; return its status."""
        self.cloudformation.update_stack(**self._request(resources))
        return self.status()

    def delete(self) -> None:
        identifier = self._described()["StackId"]
        self.cloudformation.delete_stack(StackName=self.name)
        status = self.cloudformation.describe_stacks(StackName=identifier)["Stacks"][0]["StackStatus"]
        assert status == "DELETE_COMPLETE"

    def status(self) -> str:
        return str(self._described()["StackStatus"])

    def reasons(self) -> str:
        """Why resources failed."""
        events = self.cloudformation.describe_stack_events(StackName=self.name)["StackEvents"]
        return "\n".join(event["ResourceStatusReason"] for event in events if "ResourceStatusReason" in event)

    def physical(self, name: str) -> str:
        answer = self.cloudformation.describe_stack_resource(StackName=self.name, LogicalResourceId=name)
        return str(answer["StackResourceDetail"]["PhysicalResourceId"])

    def output(self, name: str) -> str:
        return {item["OutputKey"]: str(item["OutputValue"]) for item in self._described()["Outputs"]}[name]

    def _request(self, resources: Json) -> Json:
        outputs = {name: {"Value": value} for name, value in (self.outputs or {}).items()}
        return {
            "StackName": self.name,
            "TemplateBody": json.dumps({"Resources": resources} | ({"Outputs": outputs} if outputs else {})),
            "Capabilities": ["CAPABILITY_NAMED_IAM"],
        }

    def _described(self) -> Json:
        stack: Json = self.cloudformation.describe_stacks(StackName=self.name)["Stacks"][0]
        return stack
