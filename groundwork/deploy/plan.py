"""What a deployment would do: to each resource, to data, and to the bill."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from infra.cost.estimate import UnknownCostError, estimate
from infra.updates.identity import STATEFUL, versions, with_defaults
from infra.updates.interruptions import interrupting, shrinking
from infra.updates.sweep import FATES, change
from terminal.screen import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Json = dict[str, Any]
EMPTY: Json = {"Resources": {}}
REGENERATED = "it gets another value, which what it opens does not know"


class Action(StrEnum):
    """What happens to a resource, in the order in which a plan lists it."""

    DELETE = "delete"
    REPLACE = "replace"
    INTERRUPT = "interrupt"
    CHANGE = "change"
    ADD = "add"


@dataclass(frozen=True)
class Step:
    """What a deployment does to one resource.

    Attributes:
        action: What happens to it.
        resource: Logical id.
        type: Resource type.
        data: What becomes of the data that it holds; empty where it loses none.
        shrinks: Its storage before and after, in GiB, where the deployment would make it smaller.
    """

    action: Action
    resource: str
    type: str
    data: str
    shrinks: tuple[int, int] | None = None

    @property
    def loses_data(self) -> bool:
        """Whether the stack would lose data, an address or a password that nothing else holds."""
        return self.type in STATEFUL and self.action in (Action.DELETE, Action.REPLACE)


@dataclass(frozen=True)
class Plan:
    """What a deployment would do.

    Attributes:
        stack: The stack's name.
        steps: What happens to its resources; empty where nothing changes.
        month_before: USD a month while idle, as it is deployed; None where a price is not known.
        month_after: The same, of the new template.
        month_left: USD a month of what stays outside the stack when it is replaced or deleted.
    """

    stack: str
    steps: tuple[Step, ...]
    month_before: float | None
    month_after: float | None
    month_left: float | None

    @property
    def lost(self) -> list[Step]:
        """The steps in which the stack would lose what nothing else holds."""
        return [step for step in self.steps if step.loses_data]

    def table(self) -> Table:
        """Return the plan for people."""
        rows = [(step.action, step.resource, step.type, step.data) for step in self.steps]
        return Table(["action", "resource", "type", "data"], rows, keys=["action", "resource"], title=self._title())

    def cost(self) -> str:
        """Say in a sentence what the deployment costs more, or less."""
        if self.month_before is None or self.month_after is None:
            return "What it costs is not known: a resource has no price in infra/cost."
        more = self.month_after - self.month_before
        compared = f"{abs(more):.2f} {'more' if more > 0 else 'less'} than" if round(more, 2) else "as much as"
        left = f" What stays outside the stack goes on billing {self.month_left:.2f}." if self.month_left else ""
        return f"While idle it bills {self.month_after:.2f} USD a month, {compared} before (list prices).{left}"

    def _title(self) -> str:
        counts = [(action, sum(step.action is action for step in self.steps)) for action in Action]
        return f"Plan for {self.stack}: " + ", ".join(f"{number} to {action}" for action, number in counts if number)


def plan(stack: str, before: Json | None, after: Json, changes: Iterable[Mapping[str, Any]]) -> Plan:
    """Compare a template with the one that is deployed, and with what CloudFormation says about the change set.

    The templates tell what a change of one resource means for those that refer to it, which CloudFormation only calls
    conditional. Where CloudFormation is sure, it is right.

    Args:
        stack: The stack's name.
        before: The template that is deployed; None where there is none.
        after: The new template.
        changes: `Changes` of DescribeChangeSet.
    """
    old, new = with_defaults(before or EMPTY), with_defaults(after)
    compared = change("", "", old, new)
    actions: dict[str, Action] = dict.fromkeys(compared.added, Action.ADD)
    actions |= dict.fromkeys(compared.removed, Action.DELETE)
    actions |= dict.fromkeys(compared.updated, Action.CHANGE)
    actions |= dict.fromkeys(compared.replaced, Action.REPLACE)
    for name, body in new["Resources"].items():
        if name not in actions and versions(body.get("Properties", {})) & actions.keys():
            actions[name] = Action.CHANGE  # a group of instances, when its launch template changes
    _believe(actions, changes)
    for name, action in actions.items():
        if action is Action.CHANGE and _is_generated_again(name, old, new):
            actions[name] = Action.REPLACE
        elif action is Action.CHANGE and interrupting(old["Resources"].get(name, {}), new["Resources"][name]):
            actions[name] = Action.INTERRUPT
    steps = [_step(action, name, old, new) for name, action in actions.items()]
    order = list(Action)
    return Plan(
        stack,
        tuple(sorted(steps, key=lambda step: (order.index(step.action), step.type not in STATEFUL, step.resource))),
        _month(stack, old),
        _month(stack, new),
        _month_left(stack, old, {step.resource for step in steps if step.data == FATES["Retain"]}),
    )


def _believe(actions: dict[str, Action], changes: Iterable[Mapping[str, Any]]) -> None:
    """Put what CloudFormation is sure of in the place of what the templates say."""
    for entry in changes:
        resource = entry["ResourceChange"]
        name, kind = resource["LogicalResourceId"], resource["Action"]
        match kind, resource.get("Replacement", ""):
            case "Add", _:
                actions[name] = Action.ADD
            case "Remove", _:
                actions[name] = Action.DELETE
            case "Modify", "True":
                actions[name] = Action.REPLACE
            case "Modify", "False":
                actions[name] = Action.CHANGE
            case "Modify", _:
                actions.setdefault(name, Action.CHANGE)


def _step(action: Action, name: str, old: Json, new: Json) -> Step:
    body = new["Resources"].get(name) or old["Resources"][name]
    data = REGENERATED if _is_generated_again(name, old, new) else _fate(action, old["Resources"].get(name, {}))
    is_updated = action in (Action.CHANGE, Action.INTERRUPT)
    shrinks = shrinking(old["Resources"][name], body) if is_updated and name in old["Resources"] else None
    return Step(action, name, body["Type"], data, shrinks)


def _is_generated_again(name: str, old: Json, new: Json) -> bool:
    """Return whether a secret gets another value, which CloudFormation calls a change in place."""
    bodies: list[Json] = [template["Resources"].get(name, {}) for template in (old, new)]
    before, after = (body.get("Properties", {}).get("GenerateSecretString") for body in bodies)
    is_secret = all(body.get("Type") == "AWS::SecretsManager::Secret" for body in bodies)
    return is_secret and bool(before != after)


def _fate(action: Action, deployed: Json) -> str:
    """Return what becomes of what a resource holds, in the words of the stacks' pages."""
    policy = {Action.DELETE: "DeletionPolicy", Action.REPLACE: "UpdateReplacePolicy"}.get(action)
    if policy is None or deployed.get("Type") not in STATEFUL:
        return ""
    return FATES[deployed.get(policy, "Delete")]


def _month(stack: str, template: Json) -> float | None:
    try:
        return estimate(stack, template).idle
    except UnknownCostError:
        return None


def _month_left(stack: str, template: Json, stays: Iterable[str]) -> float | None:
    try:
        return sum(charge.usd for charge in estimate(stack, template).charges if charge.resource in stays)
    except UnknownCostError:
        return None
