"""AWS Batch: jobs run as processes of this machine."""
