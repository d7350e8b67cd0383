"""The stacks: AWS infrastructure as code, from one configuration."""
