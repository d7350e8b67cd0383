"""`groundwork preflight`: asks an account, before a deployment, for everything that would make it fail.

template.py   what a stack needs of an account, read from its template
checks.py     what a check is, and how all of them run
subjects.py   all checks
command.py    the command

One module for each subject has the checks themselves: each is a function with a name and the permissions that it needs,
which yields what it found and, where that is not right, the way out. `workloads.account` asks the account.
"""
