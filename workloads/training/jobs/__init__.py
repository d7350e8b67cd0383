"""Training jobs from a person's side: submit, follow, list, cancel, and the runs they leave.

stack     the deployed stack, by its outputs
submit    a job in a queue, or an instance of its own
follow    a job's states, reasons and log until it ends
runs      the finished runs, with their figures
prices    what a job costs
commands  all of it as commands
"""
