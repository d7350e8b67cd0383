"""Training workloads: one readable file a model, and the runtime they share."""
