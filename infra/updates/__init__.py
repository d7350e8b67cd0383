"""What an update does to a deployed stack, before anybody deploys it.

identity   what CloudFormation replaces a resource for: the values that cannot change while it lives
interruptions   what changes in place, but not without an interruption
record     stateful.json: the identity of everything that holds data, so that no change replaces it unnoticed
sweep      what each setting replaces, removes and adds, in the stacks' pages
synthesis  a stack's template under chosen settings, synthesised once for all of these

release    what an update from the last release does: its upgrade notes

Run `python -m infra.updates` to write them; `--check` compares.
"""
