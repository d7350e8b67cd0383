"""Simulate the path of the termination alarm under a burst: `python benchmarks/termination_burst.py`.

A discrete-event simulation of what lies between EC2's event and the line in the log, with the limits that AWS
documents. It shows where a burst waits, and what is lost to the dead-letter queue; nothing is deployed.

Sources of the limits: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html (invocations a second),
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html (concurrency),
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html (two repetitions, after one minute and
after two), https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html (100 requests at once, 20 a second).
"""

from __future__ import annotations

import argparse
import heapq
import json
import random
from dataclasses import asdict, dataclass, replace

BURST_SECONDS = 60
ATTEMPTS = 8  # of a request, as the function's client makes them
LONGEST_BACKOFF_SECONDS = 20  # of boto3's standard mode: a random share of 1, 2, 4, ... seconds
REPETITIONS = (60, 120)  # seconds until Lambda repeats a run that failed, the first and the second time


@dataclass(frozen=True)
class Limits:
    """What the services allow, and what the function takes.

    Attributes:
        invocations: Of targets by EventBridge, a second, in us-east-1. More are delayed.
        concurrency: Runs of functions at the same time, in the account.
        requests_at_once: Of DescribeInstances, in an account and region.
        requests: The same, a second, after these.
        work_seconds: A run without its waiting. An assumption: three requests to AWS.
        timeout_seconds: Of a run.
    """

    invocations: int = 18_750
    concurrency: int = 1000
    requests_at_once: int = 100
    requests: int = 20
    work_seconds: float = 0.3
    timeout_seconds: float = 60


@dataclass(frozen=True)
class Outcome:
    """What became of a burst.

    Attributes:
        terminations: How many there were in a minute.
        recorded: Lines in the log.
        dead_letters: Events that no run could handle.
        first_seconds: From the first termination to the first line.
        median_seconds: From a termination to its line, for half of those recorded.
        last_seconds: From the first termination to the last line.
        most_concurrent: Runs at the same time.
        failed_runs: Runs that failed, and were repeated or given up.
    """

    terminations: int
    recorded: int
    dead_letters: int
    first_seconds: float
    median_seconds: float
    last_seconds: float
    most_concurrent: int
    failed_runs: int


class Bucket:
    """A token bucket."""

    def __init__(self, size: float, refill: float) -> None:
        self._size, self._refill, self._tokens, self._at = size, refill, size, 0.0

    def take(self, at: float) -> bool:
        """Take a token at a time, in seconds; the times may not go back."""
        self._tokens = min(self._size, self._tokens + (at - self._at) * self._refill)
        self._at = at
        taken = self._tokens >= 1
        self._tokens -= taken
        return taken


def simulate(terminations: int, limits: Limits, seed: int = 0) -> Outcome:
    """Simulate a minute with terminations at random times, and all that follows until every event is done with.

    Args:
        terminations: How many.
        limits: What the services allow.
        seed: Of the random times and back-offs.
    """
    chance = random.Random(seed)  # noqa: S311 - a simulation
    asking = Bucket(limits.requests_at_once, limits.requests)
    arrivals = sorted(chance.uniform(0, BURST_SECONDS) for _ in range(terminations))
    delivered = 0.0
    # time, order, what happens, event, attempt of the run (or repetition), when the run began
    agenda: list[tuple[float, int, str, int, int, float]] = []
    order = 0

    def plan(at: float, what: str, event: int, attempt: int = 0, began: float = 0.0) -> None:
        nonlocal order
        order += 1
        heapq.heappush(agenda, (at, order, what, event, attempt, began))

    for event, at in enumerate(arrivals):
        delivered = max(at, delivered + 1 / limits.invocations)
        plan(delivered, "start", event)
    waiting: list[int] = []
    failures = [0] * terminations
    running = most = failed = dead = 0
    lines: list[tuple[float, float]] = []

    while agenda:
        now, _, what, event, attempt, began = heapq.heappop(agenda)
        ended = False
        if what == "start":
            waiting.append(event)
        elif what == "line":
            lines.append((now, now - arrivals[event]))
            ended = True
        elif what == "ask" and asking.take(now):
            plan(now + limits.work_seconds, "line", event)
        else:  # throttled: the client waits, until it has no attempt left or the run no time
            wait = chance.random() * min(2**attempt, LONGEST_BACKOFF_SECONDS)
            if attempt + 1 < ATTEMPTS and now + wait - began < limits.timeout_seconds:
                plan(now + wait, "ask", event, attempt + 1, began)
            else:
                ended = True
                failed += 1
                if failures[event] < len(REPETITIONS):
                    plan(now + REPETITIONS[failures[event]], "start", event)
                    failures[event] += 1
                else:
                    dead += 1
        running -= ended
        while waiting and running < limits.concurrency:
            running += 1
            plan(now, "ask", waiting.pop(0), 0, now)
        most = max(most, running)

    delays = sorted(delay for _, delay in lines)
    return Outcome(
        terminations=terminations,
        recorded=len(lines),
        dead_letters=dead,
        first_seconds=round(lines[0][0] - arrivals[0], 1),
        median_seconds=round(delays[len(delays) // 2], 1),
        last_seconds=round(lines[-1][0] - arrivals[0], 1),
        most_concurrent=most,
        failed_runs=failed,
    )


def main() -> None:
    """Simulate each load, under the default limits, a new account's, and with a quota of EC2 that was raised."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loads", type=int, nargs="+", default=[10, 100, 1000, 10_000])
    loads = parser.parse_args().loads
    usual = Limits()
    accounts = {
        "usual": usual,
        "new account (10 runs at once)": replace(usual, concurrency=10),
        "20 runs reserved": replace(usual, concurrency=20),
        "DescribeInstances raised to 200 a second": replace(usual, requests=200, requests_at_once=1000),
    }
    for name, limits in accounts.items():
        for load in loads:
            print(json.dumps({"limits": name, **asdict(simulate(load, limits))}))


if __name__ == "__main__":
    main()
