"""Measure how long the stacks take to synthesise and to deploy, beside an app with one stack of one parameter.

    python benchmarks/deployment.py synth [--runs 5]
    python benchmarks/deployment.py deploy [--runs 3]

`synth`: `cdk synth` of both apps, in turns: of all stacks as after a change of the code, and unchanged. `deploy`:
`cdk deploy`, synthesis included as after a change of the code, of the empty app, of TerminationAlarm and of all stacks,
in turns, each to a fresh local cloud, without its start. On AWS the resources themselves take minutes more: this is the
share that the code of the stacks and of the local cloud has. All without the CDK's own check of the templates
(CDK_VALIDATION=false), which takes seconds whatever the app; cfn-lint does more of it in `make check`.
"""

from __future__ import annotations

import argparse
import functools
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from measurement import circumstances, record, seconds, spread

from localcloud import LocalCloud
from terminal.cdk import QUICK

if TYPE_CHECKING:
    from collections.abc import Iterable

PROJECT = Path(__file__).parents[1]
EMPTY = """
from aws_cdk import App, Stack, aws_ssm

app = App()
aws_ssm.StringParameter(Stack(app, "Empty"), "Parameter", string_value="nothing")
app.synth()
"""
CHANGE = "GROUNDWORK_BENCHMARK"
"""A variable that stands for a change of the code: with another value nothing that was synthesised before holds."""
WHAT: dict[str, tuple[str, ...]] = {"empty": (), "TerminationAlarm": ("TerminationAlarm",), "all": ()}


def main() -> None:
    """Measure, print, and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="what", required=True)
    for name, runs in (("synth", 5), ("deploy", 3)):
        commands.add_parser(name).add_argument("--runs", type=int, default=runs)
    options = parser.parse_args()
    programs = [Path(sys.executable).parent, PROJECT / "node_modules" / ".bin", os.environ["PATH"]]
    os.environ.update(QUICK, PATH=os.pathsep.join(map(str, programs)))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        empty = folder / "empty"
        empty.mkdir()
        (empty / "app.py").write_text(EMPTY)
        (empty / "cdk.json").write_text('{"app": "python app.py"}')
        measured = {"synth": synth, "deploy": deploy}[options.what](folder, empty, options.runs)
    cdk = subprocess.run(["cdk", "--version"], capture_output=True, text=True, check=True).stdout.split()[0]
    facts = circumstances("aws-cdk-lib", "moto")
    facts["versions"]["cdk"] = cdk
    record("deployment", {options.what: {**facts, "runs": options.runs, **measured}})


def synth(folder: Path, empty: Path, runs: int) -> dict[str, Any]:
    """Return the seconds of `cdk synth`, without the first run of each app, which compiles Python."""
    times: dict[str, list[float]] = {"empty": [], "all": [], "unchanged": []}
    for turn in range(runs + 1):
        for name, project in (("empty", empty), ("all", PROJECT), ("unchanged", PROJECT)):
            if name == "all":
                os.environ[CHANGE] = f"{folder} {turn}"
            command = ["cdk", "synth", "--quiet", "--ci", "--no-notices", "--output", str(folder / f"{name}.out")]
            quietly = functools.partial(subprocess.run, command, cwd=project, check=True, stdout=subprocess.DEVNULL)
            took = seconds(quietly)
            if turn:
                times[name].append(took)
    return against_empty(times) | {"stacks": len(list((folder / "all.out").glob("*.template.json")))}


def deploy(folder: Path, empty: Path, runs: int) -> dict[str, Any]:
    """Return the seconds of `cdk deploy`, and the number of resources that it made."""
    times: dict[str, list[float]] = {name: [] for name in WHAT}
    resources = {}
    for turn in range(runs):
        for name, stacks in WHAT.items():
            project = empty if name == "empty" else PROJECT
            os.environ[CHANGE] = f"{folder} {name} {turn}"
            with LocalCloud(folder / f"{name}-{turn}", project=project) as cloud:
                times[name].append(seconds(functools.partial(cloud.deploy, *stacks)))
                resources[name] = sum(1 for _ in resource_ids(cloud))
            print(f"{name}: {times[name][-1]:.1f} s, {resources[name]} resources", flush=True)
    return against_empty(times) | {"resources": resources}


def resource_ids(cloud: LocalCloud) -> Iterable[str]:
    """Yield the physical ids of the resources of every stack."""
    cloudformation = cloud.client("cloudformation")
    stacks = (stack for page in cloudformation.get_paginator("describe_stacks").paginate() for stack in page["Stacks"])
    for stack in stacks:
        pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack["StackName"])
        yield from (resource["PhysicalResourceId"] for page in pages for resource in page["StackResourceSummaries"])


def against_empty(times: dict[str, list[float]]) -> dict[str, Any]:
    """Return the seconds of each app, and their ratios to the empty app's seconds in the same turn."""
    ratios = {
        name: spread([time / reference for time, reference in zip(seconds, times["empty"], strict=True)], 2)
        for name, seconds in times.items()
        if name != "empty"
    }
    return {"seconds": {name: spread(seconds, 2) for name, seconds in times.items()}, "times_the_empty_app": ratios}


if __name__ == "__main__":
    main()
