"""The stacks: AWS infrastructure as code, from one configuration.

stacks        the list of them; each is a module or a folder beside it
stack         the base of every stack
templates     their templates under some settings; `kept` has those that were made before
config        all settings; each is described in `settings/`
constructs/   what several stacks are built from
console/      the same stacks as templates for the CloudFormation console, and the tables of settings in the docs
check/        what is checked in every template
packing       the bundle of code that containers run
distribution  the wheel with which other CDK apps import the stacks and constructs
cost/         what every stack costs
updates/      what a change of code or settings replaces in a deployed stack
removal       how a stack is removed; `commands` has `groundwork bundle`, `left` and `destroy`
"""

from __future__ import annotations

from pathlib import Path

PROJECT = Path(__file__).parent.parent
"""The project's folder."""
