"""Which data a plan would lose, and the ways out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from contract.errors import InputError

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
    options = " ".join(f"--replace {step.resource}" for step in unnamed)
    return InputError(
        f"{plan.stack}: {' '.join(_said(step, identifiers.get(step.resource, '')) for step in unnamed)} Nothing was "
        "deployed. Give the settings that the stack has now; or save the data and bring what stays into a stack with "
        f"`cdk import`; or accept this with {options}."
    )


def _said(step: Step, identifier: str) -> str:
    verb = "replaced" if step.action == "replace" else "deleted"
    save = f" Save it first: {SAVE[step.type].format(identifier)}." if step.type in SAVE and identifier else ""
    return f"{step.resource} ({step.type} {identifier or step.resource}) would be {verb}: {step.data}.{save}"
