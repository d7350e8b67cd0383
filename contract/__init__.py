"""What the other packages must agree on. Standard library only; every package may import it, and it imports none.

errors       the tree of errors and their exit codes
stacks       the names of the stacks and of their outputs
metrics      the namespaces and names of the metrics that workloads send and stacks watch
tags         the tags that one part sets and another reads
workloads    the manifest of the training workloads
"""
