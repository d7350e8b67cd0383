"""The demonstration: every stack on a local cloud, every workload run, every result checked."""
