"""What a job is said to cost is what the stacks are said to cost: two files, since packages share none."""

from __future__ import annotations

import json
from importlib.resources import files

import yaml


def test_the_prices_of_jobs_are_those_of_the_stacks() -> None:
    jobs = json.loads(files("workloads.training.jobs").joinpath("prices.json").read_text())
    stacks = yaml.safe_load(files("infra.cost").joinpath("prices.yaml").read_text())
    assert jobs["usd_per_hour"] == {name: stacks["prices"][f"ec2.{name}"]["usd"] for name in jobs["usd_per_hour"]}
    assert (jobs["region"], jobs["read"]) == (stacks["region"], str(stacks["date"]))
