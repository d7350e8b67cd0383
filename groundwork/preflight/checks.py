"""What a check is, and how all of them run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from contract.errors import InputError
from workloads.account.reader import NotPermittedError
from workloads.aws import asking_aws

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from groundwork.preflight.template import Template
    from workloads.account.reader import Account

_REQUESTS_AT_ONCE = 8


class Verdict(StrEnum):
    """What a check says."""

    OK = "ok"
    WARNING = "warning"
    REFUSED = "refused"


class Judgement(NamedTuple):
    """What a check found.

    Attributes:
        result: Whether the deployment works, works with less than it should, or fails.
        reason: Why, in a sentence.
        way_out: What to do; empty where nothing has to be done.
    """

    result: Verdict
    reason: str
    way_out: str = ""


def ok(reason: str) -> Judgement:
    """Return that something is as it should be."""
    return Judgement(Verdict.OK, reason)


def warning(reason: str, way_out: str) -> Judgement:
    """Return that a stack deploys, but something in it will not work."""
    return Judgement(Verdict.WARNING, reason, way_out)


def refused(reason: str, way_out: str) -> Judgement:
    """Return that the deployment would fail."""
    return Judgement(Verdict.REFUSED, reason, way_out)


@dataclass(frozen=True)
class Finding:
    """A row of the result.

    Attributes:
        check: The check's name.
        stack: The stack.
        result: What the check says.
        reason: Why.
        way_out: What to do.
    """

    check: str
    stack: str
    result: Verdict
    reason: str
    way_out: str


class Questions:
    """The account, as far as one check may ask it.

    Attributes:
        account: The account.
        number: The account's number.
        region: The region.
    """

    def __init__(self, account: Account, check: Check) -> None:
        self.account = account
        self.number, self.region = account.number, account.region
        self._check = check

    def ask(self, permission: str, **parameters: Any) -> dict[str, Any]:
        """Return what `Account.ask` returns, for one of the check's permissions."""
        self._look_up(permission)
        return self.account.ask(permission, **parameters)

    def find(self, permission: str, **parameters: Any) -> dict[str, Any] | None:
        """Return what `Account.find` returns, for one of the check's permissions."""
        self._look_up(permission)
        return self.account.find(permission, **parameters)

    @property
    def zones(self) -> list[str]:
        """The zones of the region, in the order in which CloudFormation counts them."""
        self._look_up("ec2:DescribeAvailabilityZones")
        return self.account.zones

    def deployed(self, stack: str) -> set[str]:
        """Return the logical ids of what a stack has already."""
        self._look_up("cloudformation:ListStackResources")
        return self.account.deployed(stack)

    def _look_up(self, permission: str) -> None:
        if permission not in self._check.permissions:
            raise LookupError(f"{self._check.name} does not say that it needs {permission}")


@dataclass(frozen=True)
class Check:
    """Something that can make a deployment fail.

    Attributes:
        name: What people call it.
        permissions: What it needs to read, as IAM calls it.
        look: Yields what it finds in a stack; nothing where the stack does not need what it checks.
    """

    name: str
    permissions: tuple[str, ...]
    look: Callable[[Template, Questions], Iterator[Judgement]]

    @property
    def summary(self) -> str:
        """What it checks, in a line."""
        return (self.look.__doc__ or "").strip().splitlines()[0]

    def findings(self, stack: Template, account: Account) -> list[Finding]:
        """Return what it finds in a stack; a permission that is missing is a warning.

        Raises:
            UnavailableError: AWS cannot be reached or fails, or the credentials have expired.
        """
        judgements: list[Judgement] = []
        try:
            with asking_aws(f"Check {self.name}"):
                judgements.extend(self.look(stack, Questions(account, self)))
        except NotPermittedError as error:
            judgements.append(
                warning(
                    f"It could not be checked: the credentials do not have {error.permission}.",
                    f"Allow {error.permission} in the policy of these credentials.",
                )
            )
        except InputError as error:
            judgements.append(
                warning(f"It could not be checked. {error}", "Correct what AWS names, or look at this yourself.")
            )
        return [Finding(self.name, stack.stack, *judgement) for judgement in judgements]


CHECKS: list[Check] = []


def check(name: str, *permissions: str) -> Callable[[Any], Any]:
    """Make a check of a function, which becomes one of `CHECKS`.

    Args:
        name: What people call it.
        permissions: What it needs to read, as IAM calls it.
    """

    def register(look: Any) -> Any:
        CHECKS.append(Check(name, permissions, look))
        return look

    return register


def permissions(checks: Iterable[Check]) -> list[str]:
    """Return the permissions that checks need, in the order of the alphabet."""
    return sorted({"sts:GetCallerIdentity", *(permission for check in checks for permission in check.permissions)})


def run(stacks: Sequence[Template], account: Account, checks: Sequence[Check]) -> list[Finding]:
    """Return what all checks find in all stacks, several of them at once.

    Raises:
        UnavailableError: AWS cannot be reached or fails, or the credentials have expired.
    """
    pool = ThreadPoolExecutor(_REQUESTS_AT_ONCE)
    try:
        running = [pool.submit(check.findings, stack, account) for stack in stacks for check in checks]
        return [finding for future in running for finding in future.result()]
    finally:
        with suppress(RuntimeError):
            pool.shutdown(wait=False, cancel_futures=True)
