"""The workloads that run on the stacks: training, the film rental application, DevOps metrics, the storefront."""
