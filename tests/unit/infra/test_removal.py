"""What `groundwork destroy` says stays, from what CloudFormation tells of a stack."""

from __future__ import annotations

from typing import Any

import pytest

from infra import removal

TYPES = {"Data": "AWS::S3::Bucket", "Logs": "AWS::Logs::LogGroup", "Database": "AWS::RDS::DBInstance"}
POLICIES = {"Data": "RetainExceptOnCreate", "Logs": "Retain", "Database": "Snapshot"}


class CloudFormation:
    """CloudFormation, with one stack whose resources have these states."""

    def __init__(self, states: dict[str, str]) -> None:
        self.states = states

    def describe_stacks(self, **_: str) -> dict[str, Any]:
        return {"Stacks": [{"StackId": "id"}]}

    def get_template(self, **_: str) -> dict[str, Any]:
        size = {"DBInstanceClass": "db.t4g.micro", "AllocatedStorage": "20"}
        resources = {
            name: {"Type": kind, "DeletionPolicy": POLICIES[name], "Properties": size} for name, kind in TYPES.items()
        }
        gone = {"Gone": {"Type": "AWS::SNS::Topic"}}
        return {"TemplateBody": {"Resources": resources | gone}}

    def get_paginator(self, _: str) -> Any:
        return self

    def paginate(self, **_: str) -> list[dict[str, Any]]:
        """A page for each resource."""
        return [
            {
                "StackResourceSummaries": [
                    {"LogicalResourceId": name, "PhysicalResourceId": name.lower(), "ResourceStatus": state}
                ]
            }
            for name, state in self.states.items()
        ]


def kept(monkeypatch: pytest.MonkeyPatch, **states: str) -> dict[str, bool]:
    """By name, what is said to stay, and whether as a snapshot."""
    monkeypatch.setattr(removal.boto3, "client", lambda _: CloudFormation(states))
    return {resource.identifier: resource.is_snapshot for resource in removal.Deployed("Stack").kept}


def test_what_a_policy_keeps_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    states = dict.fromkeys([*TYPES, "Gone"], "CREATE_COMPLETE")
    assert kept(monkeypatch, **states) == {"data": False, "logs": False, "database": True}


def test_what_the_roll_back_of_a_first_deployment_has_deleted_does_not_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    states = {"Data": "DELETE_COMPLETE", "Logs": "DELETE_SKIPPED", "Database": "DELETE_COMPLETE"}
    assert kept(monkeypatch, **states, Gone="DELETE_COMPLETE") == {"logs": False}
