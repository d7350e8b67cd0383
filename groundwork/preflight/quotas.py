"""Quotas: what an account may have, what it has, and what the stacks add to that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from contract.quotas import ADDRESSES, DATABASES, FARGATE, INTERNET_GATEWAYS, ON_DEMAND, VPCS, Quota, vcpu_quota
from groundwork.preflight.checks import check, ok, refused, warning
from workloads.account.facts import QUOTA, increase, quota_value, used_vcpus, vcpus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundwork.preflight.checks import Judgement, Questions
    from groundwork.preflight.template import Launch, Template

_STACK = "cloudformation:ListStackResources"


def _new(kind: str, stack: Template, account: Questions) -> int:
    """Return how many resources of a type a deployment adds."""
    names = {resource.name for resource in stack.resources(kind)}
    return len(names - account.deployed(stack.stack)) if names else 0


def _counted(quota: Quota, kind: str, existing: int, stack: Template, account: Questions) -> Iterator[Judgement]:
    """Judge what a stack adds to what there is, and to what the stacks before it add."""
    if not any(stack.resources(kind)):
        return
    adds, before = _new(kind, stack, account), sum(_new(kind, earlier, account) for earlier in stack.before)
    limit = quota_value(quota, account)
    total = existing + before + adds
    used = f"{existing} of {limit:g} are used" + (f", the stacks before it add {before}" if before else "")
    if adds and total > limit:
        yield refused(
            f"The stack adds {adds} to the account's {quota.used_for}; {used}.",
            f"{increase(quota, total)}; or use what exists, or delete what nobody uses.",
        )
    else:
        yield ok(f"{adds} more {quota.used_for}; {used}.")


@check("quota of VPCs", "ec2:DescribeVpcs", _STACK, *QUOTA)
def vpcs(stack: Template, account: Questions) -> Iterator[Judgement]:
    """The account may have as many VPCs as the stack adds."""
    existing = len(account.ask("ec2:DescribeVpcs")["Vpcs"])
    yield from _counted(VPCS, "AWS::EC2::VPC", existing, stack, account)


@check("quota of internet gateways", "ec2:DescribeInternetGateways", _STACK, *QUOTA)
def internet_gateways(stack: Template, account: Questions) -> Iterator[Judgement]:
    """The account may have as many internet gateways as the stack adds."""
    existing = len(account.ask("ec2:DescribeInternetGateways")["InternetGateways"])
    yield from _counted(INTERNET_GATEWAYS, "AWS::EC2::InternetGateway", existing, stack, account)


@check("quota of Elastic IPs", "ec2:DescribeAddresses", _STACK, *QUOTA)
def addresses(stack: Template, account: Questions) -> Iterator[Judgement]:
    """The account may have as many Elastic IP addresses as the stack adds."""
    existing = len(account.ask("ec2:DescribeAddresses")["Addresses"])
    yield from _counted(ADDRESSES, "AWS::EC2::EIP", existing, stack, account)


@check("quota of databases", "rds:DescribeDBInstances", _STACK, *QUOTA)
def databases(stack: Template, account: Questions) -> Iterator[Judgement]:
    """The account may have as many DB instances of RDS as the stack adds."""
    existing = len(account.ask("rds:DescribeDBInstances")["DBInstances"])
    yield from _counted(DATABASES, "AWS::RDS::DBInstance", existing, stack, account)


def _started(quota: Quota, stack: Template, account: Questions) -> int:
    """Return the vCPUs that count against a quota and that a deployment starts."""
    deployed = account.deployed(stack.stack)
    return sum(
        launch.instances * vcpus(launch.types[0], account)
        for launch in stack.launches()
        if launch.instances and launch.types and launch.resource not in deployed
        if vcpu_quota(launch.types[0], spot=launch.spot) == quota
    )


@check("quota of vCPUs", "ec2:DescribeInstances", "ec2:DescribeInstanceTypes", _STACK, *QUOTA)
def instances(stack: Template, account: Questions) -> Iterator[Judgement]:
    """The account may run the instances that start with the stack."""
    for quota in ON_DEMAND.values():
        adds = _started(quota, stack, account)
        if not adds:
            continue
        existing, limit = used_vcpus(quota, account), quota_value(quota, account)
        before = sum(_started(quota, earlier, account) for earlier in stack.before)
        total = existing + before + adds
        if total > limit:
            yield refused(
                f"The stack starts {adds} {quota.used_for}; {existing + before} of {limit:g} are used.",
                f"{increase(quota, total)}; or choose a smaller instance type.",
            )
        else:
            yield ok(f"{adds} more {quota.used_for}; {existing + before} of {limit:g} are used.")


@check("quota of vCPUs for jobs", "ec2:DescribeInstanceTypes", *QUOTA)
def jobs(stack: Template, account: Questions) -> Iterator[Judgement]:
    """The account may run the instances that jobs start later."""
    for launch in stack.launches():
        quota = vcpu_quota(launch.types[0], spot=launch.spot) if launch.types and not launch.instances else None
        if not quota:
            continue
        most_vcpus = launch.vcpus or vcpus(launch.types[0], account)
        yield _later(launch, quota, most_vcpus, quota_value(quota, account))
    for resource in stack.resources("AWS::Batch::ComputeEnvironment"):
        compute = resource.properties["ComputeResources"]
        if compute["Type"] == "FARGATE":
            most_vcpus, limit = int(stack.text(compute["MaxvCpus"]) or 0), quota_value(FARGATE, account)
            if limit < most_vcpus:
                yield warning(
                    f"{resource.name} may use {most_vcpus} {FARGATE.used_for}, and the quota is {limit:g}.",
                    increase(FARGATE, most_vcpus),
                )


def _later(launch: Launch, quota: Quota, most_vcpus: int, limit: float) -> Judgement:
    if not limit:
        return warning(
            f"{launch.resource} cannot start anything: the account may have no {quota.used_for}. The stack deploys, "
            "but jobs stay in RUNNABLE.",
            increase(quota, most_vcpus),
        )
    if limit < most_vcpus:
        return warning(
            f"{launch.resource} may use {most_vcpus} {quota.used_for}, and the quota is {limit:g}.",
            increase(quota, most_vcpus),
        )
    return ok(f"{launch.resource} may use {most_vcpus} {quota.used_for}; the quota is {limit:g}.")
