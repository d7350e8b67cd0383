"""`groundwork deploy`: shows what a deployment would do, stops before data would be lost, and deploys.

settings.py     the settings of the deployed stack, which the next deployment takes over
plan.py         what a deployment adds, changes, replaces, interrupts and deletes, and what it costs
protection.py   which data a plan would lose, and the ways out
contents.py     how much is in what would be lost
change_set.py   the change set: prepared by the CDK, executed, followed to its end
command.py      the command
"""
