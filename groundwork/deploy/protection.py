"""Which data a plan would lose, and the ways out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from contract.errors import InputError
from groundwork.deploy.contents import contents

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from groundwork.deploy.plan import Plan, Step

#: How a person saves what a resource holds, by its type; `{0}` is what AWS calls the resource.
SAVE = {
    "AWS::DynamoDB::Table": "aws dynamodb create-backup --table-name {0} --backup-name before-update",
    "AWS::Neptune::DBCluster": (
        "aws neptune create-db-cluster-snapshot --db-cluster-identifier {0} "
        "--db-cluster-snapshot-identifier {0}-before-update"
    ),
    "AWS::RDS::DBInstance": (
        "aws rds create-db-snapshot --db-instance-identifier {0} --db-snapshot-identifier {0}-before-update"
    ),
    "AWS::S3::Bucket": "aws s3 sync s3://{0} FOLDER",
    "AWS::SecretsManager::Secret": "aws secretsmanager get-secret-value --secret-id {0}",
}


def refuse_shrinking(plan: Plan) -> InputError | None:
    """Return why a plan is not carried out: AWS makes no storage smaller; None where it may go ahead."""
    for step in plan.steps:
        if step.shrinks:
            old, new = step.shrinks
            return InputError(
                f"{plan.stack}: The storage of {step.resource} cannot shrink from {old} to {new} GiB. Nothing was "
                f"deployed. Give {old} GiB or more."
            )
    return None


def refuse_loss(plan: Plan, replace: Collection[str], identifiers: Mapping[str, str]) -> InputError | None:
    """Return why a plan is not carried out: it loses data that nobody has named; None where it may go ahead.

    Args:
        plan: The plan.
        replace: Logical ids of what may be replaced or deleted.
        identifiers: What AWS calls the resources of the stack, by logical id.

    Raises:
        InputError: The plan neither replaces nor deletes a resource that is named.
    """
    losses = {step.resource: step for step in plan.lost}
    if unknown := [name for name in replace if name not in losses]:
        names = f"It does so with {', '.join(losses)}" if losses else "It does so with nothing that holds data"
        return InputError(f"--replace {unknown[0]}: The plan neither replaces nor deletes it. {names}.")
    unnamed = [step for step in losses.values() if step.resource not in replace]
    if not unnamed:
        return None
    amounts = {step.resource: contents(step.type, identifiers.get(step.resource, "")) for step in unnamed}
    options = " ".join(f"--replace {step.resource}" for step in unnamed)
    return InputError(
        f"{plan.stack}: {' '.join(_said(step, identifiers.get(step.resource, ''), amounts) for step in unnamed)} "
        "Nothing was deployed. Give the settings that the stack has now; or save the data and bring them into the new "
        f"resource as docs/restore.md says; or accept this with {options}."
    )


def _said(step: Step, identifier: str, amounts: Mapping[str, str]) -> str:
    verb = "replaced" if step.action == "replace" else "deleted"
    save = f" Save it first: {SAVE[step.type].format(identifier)}." if step.type in SAVE and identifier else ""
    amount = f", which holds {amounts[step.resource]}," if amounts[step.resource] else ""
    return f"{step.resource} ({step.type} {identifier or step.resource}){amount} would be {verb}: {step.data}.{save}"
