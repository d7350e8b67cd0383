"""What the other packages must agree on. Standard library only; every package may import it, and it imports none.

errors        the tree of errors and their exit codes
services      what a service's refusal means
stacks        the names of the stacks and of their outputs
metrics       the namespaces and names of the metrics that workloads send and stacks watch
tags          the tags that one part sets and another reads
workloads     the manifest of the training workloads
documents     a film as the search index holds it
rentals       a rental as the time series holds it
design        the colours and the type that pages and charts share
timeseries    how a time series database is reached and written to
dead_letters  what becomes of what a function cannot write
"""
