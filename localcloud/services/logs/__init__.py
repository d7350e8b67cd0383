"""Amazon CloudWatch Logs: filter patterns."""
